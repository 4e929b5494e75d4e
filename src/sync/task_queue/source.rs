//! A task queue as a source of a wait for several.

use super::{TaskQueue, TaskSlot};
use crate::platform::Linux;
use crate::raw::task_queue::{Awaited, Want};
use crate::segment::Shareable;
use crate::sync::wait_any::WaitSource;

impl<T: Shareable> TaskQueue<T> {
    /// A source of [`wait_any`](crate::wait_any): there is a task to take, or the queue is closed
    /// and none will come. Then [`try_take`](Self::try_take).
    ///
    /// The check reads all slots, unless it finds a task before that.
    ///
    /// ```
    /// use outlive::{Event, Segment, TaskQueue, TryRecvError, wait_any};
    ///
    /// let jobs = TaskQueue::<u64>::anonymous(64)?;
    /// let stop = Segment::<Event>::anonymous(|_cleared| {})?;
    /// # jobs.send(7)?;
    /// # let mut sum = 0;
    /// let sources = [stop.when_set(), jobs.readable()];
    /// while wait_any(&sources)? == 1 {
    ///     match jobs.try_take() {
    ///         Ok(job) => {
    /// #           sum += *job;
    ///             println!("job {}", *job);
    ///             job.done()?;
    /// #           stop.set()?;
    ///         }
    ///         Err(TryRecvError::Empty) => {} // another one was quicker
    ///         Err(_) => break,               // closed: it would be ready forever
    ///     }
    /// }
    /// # assert_eq!(sum, 7);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # If a process dies
    /// A task that it had is there to take. If that has no attempt left, `try_take` sets it aside,
    /// and finds none.
    #[must_use]
    pub fn readable(&self) -> WaitSource<'_> {
        WaitSource::new(&self.words, self.awaited(Want::Task))
    }

    /// A source of [`wait_any`](crate::wait_any): there is room for an item, or the queue is
    /// closed. Then [`try_reserve`](Self::try_reserve) or [`try_send`](Self::try_send).
    ///
    /// # If a process dies
    /// Room that it had reserved is there.
    #[must_use]
    pub fn writable(&self) -> WaitSource<'_> {
        WaitSource::new(&self.words, self.awaited(Want::Room))
    }

    /// A source of [`wait_any`](crate::wait_any): there is no task but what is set aside, as
    /// [`join`](Self::join) waits for.
    ///
    /// # If a process dies
    /// Its tasks are still to be done. One that has no attempt left is set aside by whoever waits.
    #[must_use]
    pub fn when_done(&self) -> WaitSource<'_> {
        WaitSource::new(&self.words, self.awaited(Want::End))
    }

    fn awaited(&self, want: Want) -> Awaited<'_, Linux, [TaskSlot<T>]> {
        Awaited { tasks: self.tasks(), want }
    }
}
