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
    use iceoryx2::port::publisher::Publisher;
    use iceoryx2::port::subscriber::Subscriber;
    use iceoryx2::prelude::*;
    use iceoryx2::service::port_factory::publish_subscribe::PortFactory;
    use std::cell::OnceCell;
    use std::io;
    use std::time::Duration;

    /// A service, with what this process has of it.
    struct PublishSubscribe {
        config: Config,
        opened: OnceCell<Opened>,
        publisher: OnceCell<Publisher<ipc::Service, [u8], ()>>,
        subscriber: OnceCell<Subscriber<ipc::Service, [u8], ()>>,
    }

    struct Opened {
        service: PortFactory<ipc::Service, [u8], ()>,
        _node: Node<ipc::Service>,
    }

    fn words(error: impl std::fmt::Debug) -> String {
        format!("{error:?}")
    }

    pub(super) fn make() -> io::Result<Box<dyn Object>> {
        set_log_level(LogLevel::Fatal);
        let mut config = Config::default();
        let prefix = name_of_keeper(std::process::id());
        let place = std::env::current_dir()?; // the cell's directory
        let as_error = |error| io::Error::other(words(error));
        config.global.prefix = FileName::new(prefix.as_bytes()).map_err(as_error)?;
        config.global.set_root_path(&Path::new(place.as_os_str().as_encoded_bytes()).map_err(as_error)?);
        let (opened, publisher, subscriber) = (OnceCell::new(), OnceCell::new(), OnceCell::new());
        Ok(Box::new(AsChannel(PublishSubscribe { config, opened, publisher, subscriber })))
    }

    impl PublishSubscribe {
        fn service(&self) -> Result<&PortFactory<ipc::Service, [u8], ()>, String> {
            if self.opened.get().is_none() {
                let node = NodeBuilder::new()
                    .config(&self.config)
                    .signal_handling_mode(SignalHandlingMode::Disabled)
                    .create::<ipc::Service>()
                    .map_err(words)?;
                let service = node
                    .service_builder(&"deaths".try_into().map_err(words)?)
                    .publish_subscribe::<[u8]>()
                    .subscriber_max_buffer_size(64)
                    .enable_safe_overflow(false)
                    .max_publishers(8)
                    .max_subscribers(8)
                    .open_or_create()
                    .map_err(words)?;
                self.opened.get_or_init(|| Opened { service, _node: node });
            }
            Ok(&self.opened.get().expect("opened above").service)
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
