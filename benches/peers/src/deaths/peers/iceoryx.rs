//! iceoryx2, which this program has only with its feature `iceoryx2`.

use super::Peer;
use crate::deaths::scenario::Kind;

const NAME: (&str, &str) = ("iceoryx2", "publish-subscribe");

#[cfg(not(feature = "iceoryx2"))]
pub(super) fn peers() -> Vec<Peer> {
    let why = "this was built without --features iceoryx2, which needs libclang (Debian: apt-get install libclang-dev)";
    let maker = super::Maker::Missing(why.into());
    vec![Peer { family: NAME.0, name: NAME.1, kind: Kind::Queue, maker }]
}

#[cfg(feature = "iceoryx2")]
pub(super) fn peers() -> Vec<Peer> {
    vec![super::here(NAME.0, NAME.1, Kind::Queue, there::make)]
}

#[cfg(feature = "iceoryx2")]
mod there {
    use crate::deaths::object::{AsChannel, Channel, Object};
    use crate::deaths::order::Answer;
    use crate::deaths::peers::name_of_keeper;
    use crate::iceoryx::{Service, Shape, words};
    use iceoryx2::port::publisher::Publisher;
    use iceoryx2::port::subscriber::Subscriber;
    use iceoryx2::prelude::*;
    use std::cell::OnceCell;
    use std::io;
    use std::time::Duration;

    /// A service, with what this process has of it.
    struct PublishSubscribe {
        shape: Shape,
        opened: OnceCell<(Service, Node<ipc::Service>)>,
        publisher: OnceCell<Publisher<ipc::Service, [u8], ()>>,
        subscriber: OnceCell<Subscriber<ipc::Service, [u8], ()>>,
    }

    pub(super) fn make() -> io::Result<Box<dyn Object>> {
        let cell = std::env::current_dir()?;
        let shape = Shape::new(&name_of_keeper(std::process::id()), &cell, 64).map_err(io::Error::other)?;
        let (opened, publisher, subscriber) = (OnceCell::new(), OnceCell::new(), OnceCell::new());
        Ok(Box::new(AsChannel(PublishSubscribe { shape, opened, publisher, subscriber })))
    }

    impl PublishSubscribe {
        fn service(&self) -> Result<&Service, String> {
            if self.opened.get().is_none() {
                let opened = self.shape.open()?;
                self.opened.get_or_init(|| opened);
            }
            Ok(&self.opened.get().expect("opened above").0)
        }

        fn publisher(&self) -> Result<&Publisher<ipc::Service, [u8], ()>, String> {
            if self.publisher.get().is_none() {
                let builder = self.service()?.publisher_builder().initial_max_slice_len(6000);
                let builder = builder.backpressure_strategy(BackpressureStrategy::RetryUntilDelivered);
                let publisher = builder.create().map_err(words)?;
                self.publisher.get_or_init(|| publisher);
            }
            Ok(self.publisher.get().expect("made above"))
        }

        fn subscriber(&self) -> Result<&Subscriber<ipc::Service, [u8], ()>, String> {
            if self.subscriber.get().is_none() {
                let subscriber = self.service()?.subscriber_builder().create().map_err(words)?;
                self.subscriber.get_or_init(|| subscriber);
            }
            Ok(self.subscriber.get().expect("made above"))
        }
    }

    /// Between two looks: a subscriber has no wait of its own.
    const PAUSE: Duration = Duration::from_micros(100);

    impl Channel for PublishSubscribe {
        /// An item counts as sent when a subscriber has been given it.
        fn send(&self, bytes: &[u8]) -> Answer {
            let publisher = self.publisher()?;
            loop {
                let sample = publisher.loan_slice_uninit(bytes.len()).map_err(words)?;
                if sample.write_from_slice(bytes).send().map_err(words)? > 0 {
                    return Ok(None);
                }
                std::thread::sleep(PAUSE);
            }
        }
        fn receive(&self, into: &mut Vec<u8>) -> Answer {
            let subscriber = self.subscriber()?;
            loop {
                if let Some(sample) = subscriber.receive().map_err(words)? {
                    *into = sample.payload().to_vec();
                    return Ok(None);
                }
                std::thread::sleep(PAUSE);
            }
        }
        fn keep_end(&self, to_send: bool) -> Answer {
            match to_send {
                true => self.publisher().map(drop)?,
                false => self.subscriber().map(drop)?,
            }
            Ok(None)
        }
    }
}
