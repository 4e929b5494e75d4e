//! iceoryx2's publish-subscribe of bytes, as both programs open it.

use iceoryx2::prelude::*;
use iceoryx2::service::port_factory::publish_subscribe::PortFactory;

/// A service, as one process has it.
pub(crate) type Service = PortFactory<ipc::Service, [u8], ()>;

/// A service of that shape, which each process opens by itself.
#[derive(Debug)]
pub(crate) struct Shape {
    config: Config,
    pub(crate) buffer: usize,
    pub(crate) publishers: usize,
    pub(crate) subscribers: usize,
}

pub(crate) fn words(error: impl std::fmt::Debug) -> String {
    format!("{error:?}")
}

impl Shape {
    /// All its files lie in `root`, or are shared memory whose names begin with `prefix`.
    pub(crate) fn new(prefix: &str, root: &std::path::Path, buffer: usize) -> Result<Self, String> {
        set_log_level(LogLevel::Fatal);
        let mut config = Config::default();
        config.global.prefix = FileName::new(prefix.as_bytes()).map_err(words)?;
        config.global.set_root_path(&Path::new(root.as_os_str().as_encoded_bytes()).map_err(words)?);
        Ok(Self { config, buffer, publishers: 8, subscribers: 8 })
    }

    /// The service is there as long as the node is.
    pub(crate) fn open(&self) -> Result<(Service, Node<ipc::Service>), String> {
        let node = NodeBuilder::new()
            .config(&self.config)
            .signal_handling_mode(SignalHandlingMode::Disabled)
            .create::<ipc::Service>()
            .map_err(words)?;
        let service = node
            .service_builder(&"outlive-peers".try_into().map_err(words)?)
            .publish_subscribe::<[u8]>()
            .subscriber_max_buffer_size(self.buffer)
            .enable_safe_overflow(false)
            .max_publishers(self.publishers)
            .max_subscribers(self.subscribers)
            .open_or_create()
            .map_err(words)?;
        Ok((service, node))
    }
}
