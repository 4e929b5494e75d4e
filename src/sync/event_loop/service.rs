//! Which thread sleeps for the tasks of this process, and on what?
//!
//! The first task that has to wait starts a *helper*. It sleeps for all tasks. One wait of the
//! kernel takes so many words; when there are more sources than that at one time, another helper
//! is started. Helpers stay until the process ends.
//!
//! A forked child has no helper. It makes a service of its own: its parent's lock may have been
//! held at the time of the fork.

#![allow(clippy::disallowed_types)] // process-local bookkeeping, never in shared memory, never in an algorithm

use super::contained;
use super::entry::{Entry, Tasks};
use crate::error::RegisterError;
use crate::platform::{Expect, Linux, Platform};
use crate::raw::wait_any::{Attendant, Of, attended_words, call, most_words};
use crate::segment::local;
use crate::sync::per_process::PerProcess;
use crate::sync::wait_any::WaitSource;
use core::ptr;
use core::sync::atomic::Ordering::{Acquire, Release};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A thread that sleeps for tasks.
pub(super) struct Helper {
    /// By which it is called.
    pub(super) call: <Linux as Platform>::Word,
    /// Changes when the helper is to look at the list of entries anew.
    version: <Linux as Platform>::Word,
}

impl Helper {
    /// A helper without its thread.
    pub(super) fn leaked() -> &'static Self {
        Box::leak(Box::new(Self { call: Linux::word(0), version: Linux::word(0) }))
    }

    fn look_anew(&self) {
        self.version.fetch_add(1, Release); // ORDERING: Release; pairs with the helper's Acquire.
    }
}

/// What the tasks of one process share.
#[derive(Default)]
struct Service {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// By the address of an awaited word, and a number that tells sources of one word apart.
    entries: BTreeMap<(usize, u32), Arc<Entry>>,
    helpers: Vec<&'static Helper>,
    last_number: u64,
}

/// An entry that has ended, and its forgotten tasks. To be dropped when nothing is locked: its pin
/// may be the last one, and tasks may run the executor's code.
pub(super) struct Ended {
    pub(super) entry: Option<Arc<Entry>>,
    pub(super) tasks: Tasks,
}

impl Drop for Ended {
    fn drop(&mut self) {
        // One by one: two panics at once would end the process.
        self.tasks.drain(..).for_each(|task| contained(|| drop(task)));
        contained(|| drop(self.entry.take()));
    }
}

static SERVICE: PerProcess<Service> = PerProcess::new();

impl Service {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing panics while it is locked, but for a lack of memory.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The entry of this source, and a number for a task there.
pub(super) fn entry_of(source: &WaitSource<'_>) -> Result<(Arc<Entry>, u64), RegisterError> {
    let me = local::participant(source.place)?;
    let prepared = source.prepare();
    let mut words = vec![];
    prepared.source().observe(me, &mut words);
    let first = words.first().map_or(ptr::from_ref(source.place).addr(), |expect| ptr::from_ref(expect.word).addr());
    let key = (first, source.number);
    let service = SERVICE.get_or_try(|| Ok::<_, RegisterError>(Service::default()))?;
    let mut ended = vec![]; // is dropped after the lock
    let mut state = service.lock();
    state.last_number += 1;
    let number = state.last_number;
    if let Some(entry) = state.entries.get(&key).filter(|entry| entry.is_usable()) {
        return Ok((Arc::clone(entry), number));
    }
    let pin = local::pin(source.place)?;
    local::when_a_pinned_one_goes(&LOOK_ANEW);
    let helper = state.helper_for(attended_words(prepared.source()), service, &mut ended)?;
    // SAFETY: a source refers to its primitive alone, and that is where `place` is.
    let entry = Arc::new(unsafe { Entry::new(prepared, helper, pin) });
    let former = state.entries.insert(key, Arc::clone(&entry));
    helper.look_anew();
    drop(state);
    drop(former); // its pin may have been the last one
    Ok((entry, number))
}

static LOOK_ANEW: fn() = look_anew;

/// A segment was dropped for which tasks have waited. The helpers let it go.
fn look_anew() {
    let Some(service) = SERVICE.current() else { return };
    let helpers = service.lock().helpers.clone();
    for helper in helpers {
        helper.look_anew();
        call::<Linux>(&helper.call);
    }
}

impl State {
    /// A helper that can sleep on so many words more. Entries that are not in use give way, and are
    /// added to `ended`.
    fn helper_for(
        &mut self,
        words: usize,
        service: &'static Service,
        ended: &mut Vec<Ended>,
    ) -> Result<&'static Helper, RegisterError> {
        let most = most_words::<Linux>() - 1; // one for calls
        if let Some(helper) = self.helper_with_room(most.saturating_sub(words)) {
            return Ok(helper);
        }
        self.entries.retain(|_, entry| {
            let Some(tasks) = entry.retire() else { return true };
            entry.helper.look_anew();
            ended.push(Ended { entry: Some(Arc::clone(entry)), tasks });
            false
        });
        match self.helper_with_room(most.saturating_sub(words)) {
            Some(helper) => Ok(helper),
            None => self.start_helper(service),
        }
    }

    fn helper_with_room(&self, most: usize) -> Option<&'static Helper> {
        let is_of = |helper: &'static Helper| move |entry: &&Arc<Entry>| ptr::eq(entry.helper, helper);
        let words = |helper| {
            let entries = self.entries.values().filter(is_of(helper));
            entries.map(|entry| attended_words(entry.source())).sum::<usize>()
        };
        self.helpers.iter().copied().find(|helper| words(*helper) <= most)
    }

    fn start_helper(&mut self, service: &'static Service) -> Result<&'static Helper, RegisterError> {
        let helper = Helper::leaked();
        // Signals are for the threads of the program. A thread inherits what is blocked.
        let _blocked = local::SignalsBlocked::now();
        std::thread::Builder::new().name("outlive".into()).spawn(move || helper.run(service)).map_err(|error| {
            RegisterError::Unsupported(
                format!("the thread that sleeps for the tasks of this process cannot be started: {error}").into(),
            )
        })?;
        self.helpers.push(helper);
        Ok(helper)
    }

    /// The entries of a helper, and those that are ended because their segment is gone.
    fn entries_of(&mut self, helper: &'static Helper) -> (Vec<Arc<Entry>>, Vec<Ended>) {
        let (mut entries, mut ended) = (vec![], vec![]);
        self.entries.retain(|_, entry| {
            if !ptr::eq(entry.helper, helper) {
                return true;
            }
            if !entry.pin.is_live() {
                if let Some(tasks) = entry.retire() {
                    ended.push(Ended { entry: Some(Arc::clone(entry)), tasks });
                    return false;
                }
            }
            entries.push(Arc::clone(entry));
            true
        });
        (entries, ended)
    }
}

impl Helper {
    fn run(&'static self, service: &'static Service) {
        loop {
            let version = self.version.load(Acquire);
            // A call after this ends the sleep.
            let called = Expect { word: &self.call, value: self.call.load(Acquire) };
            let (entries, ended) = service.lock().entries_of(self);
            drop(ended);
            local::leave_orphans();
            let (mut served, mut sources) = (vec![], vec![]);
            for entry in &entries {
                match local::participant(entry.place()) {
                    Ok(me) => {
                        served.push(entry);
                        sources.push((Of { me, source: entry.source() }, &entry.attended));
                    }
                    Err(error) => entry.fail(error),
                }
            }
            // To find out who one is in one segment may end that in another, which was dropped.
            if !served.iter().all(|entry| entry.pin.is_live()) {
                continue;
            }
            if sources.is_empty() {
                Linux::wait([called].into_iter(), None);
                continue;
            }
            let mut attendant = Attendant::new(sources.into_iter());
            let mut ready = vec![];
            loop {
                // Also after the last sleep: it may have swallowed wakes.
                attendant.attend(&self.call, |index| ready.push(index));
                // A waker may do anything, also what ends this thread's part in a segment that was
                // dropped. So all are told after the attendant has used that part.
                ready.drain(..).for_each(|index| served[index].tell());
                if self.version.load(Acquire) != version || !served.iter().all(|entry| entry.pin.is_live()) {
                    break;
                }
                attendant.sleep();
            }
        }
    }
}
