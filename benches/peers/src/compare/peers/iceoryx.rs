//! iceoryx2, which this program has only with its feature `iceoryx2`.

use super::{MakeChannel, Peer};
use crate::compare::figures::Kind;

pub(super) fn channels() -> Vec<Peer<MakeChannel>> {
    vec![Peer::new("iceoryx2, polled", Kind::Peer, |shape| {
        shape.one_receiver("each subscriber gets every item")?;
        there::make(shape)
    })]
}

#[cfg(not(feature = "iceoryx2"))]
mod there {
    use crate::compare::peers::{OfChannel, Shape, missing};

    pub(super) fn make(_shape: Shape) -> OfChannel {
        missing("built without --features iceoryx2, which needs libclang (Debian: apt-get install libclang-dev)")
    }
}

#[cfg(feature = "iceoryx2")]
mod there {
    use crate::compare::Failure;
    use crate::compare::peers::channels::{self, poll};
    use crate::compare::peers::kinds::words;
    use crate::compare::peers::{Channel, Object, OfChannel, Receiver, Sender, Shape};
    use crate::iceoryx;
    use iceoryx2::prelude::*;
    use std::sync::atomic::{AtomicU32, Ordering};

    /// A service that each process opens by itself.
    struct PublishSubscribe {
        service: iceoryx::Shape,
        length: usize,
        prefix: String,
        _place: tempfile::TempDir,
    }

    pub(super) fn make(shape: Shape) -> OfChannel {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let place = tempfile::tempdir()?;
        let prefix = format!("outlive-peers-{}-{}-", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let mut service = iceoryx::Shape::new(&prefix, place.path(), shape.capacity())?;
        (service.publishers, service.subscribers) = (shape.senders, 1);
        let length = shape.length;
        Ok(Object::Processes(Box::new(PublishSubscribe { service, length, prefix, _place: place })))
    }

    /// The processes that used it are killed or end at once, so they leave shared memory.
    impl Drop for PublishSubscribe {
        fn drop(&mut self) {
            for entry in std::fs::read_dir("/dev/shm").into_iter().flatten().flatten() {
                if entry.file_name().as_encoded_bytes().starts_with(self.prefix.as_bytes()) {
                    let _gone_already = std::fs::remove_file(entry.path());
                }
            }
        }
    }

    impl Channel for PublishSubscribe {
        fn sender(&self) -> Result<Box<dyn Sender + '_>, Failure> {
            let (service, node) = self.service.open()?;
            let publisher = service
                .publisher_builder()
                .initial_max_slice_len(self.length)
                .backpressure_strategy(BackpressureStrategy::RetryUntilDelivered)
                .create()
                .map_err(words)?;
            channels::sends(move |item| {
                let _kept = (&service, &node);
                // An item counts as sent when the subscriber has been given it.
                loop {
                    let sample = publisher.loan_slice_uninit(item.len()).map_err(words)?;
                    if sample.write_from_slice(item).send().map_err(words)? > 0 {
                        return Ok(());
                    }
                    std::thread::yield_now();
                }
            })
        }
        fn receiver(&self) -> Result<Box<dyn Receiver + '_>, Failure> {
            let (service, node) = self.service.open()?;
            let subscriber = service.subscriber_builder().create().map_err(words)?;
            channels::receives(move |item| {
                let _kept = (&service, &node);
                let sample = poll(|| subscriber.receive().transpose()).map_err(words)?;
                channels::whole(sample.payload().len(), item)?;
                item.copy_from_slice(sample.payload());
                Ok(())
            })
        }
    }
}
