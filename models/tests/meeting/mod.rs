//! What the models of the barrier have in common: a barrier, and the answers of its waits.

#![allow(dead_code)] // each program of models uses only a part

use core::array::from_fn;
use core::time::Duration;
use outlive::platform::{Word as _, Word64 as _};
use outlive::raw::barrier::{NotPassed, Passed};
use outlive::raw::{Barrier, Participant};
use outlive_models::{Backend, Model, Word, Word64, World, step};
use std::sync::Mutex;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::SeqCst;

/// A party that met the others: its generation, its place, and whether it was the leader.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Met {
    pub(crate) generation: u32,
    pub(crate) index: usize,
    pub(crate) leads: bool,
}

/// A barrier of `N` parties. Each party writes a note before it comes. The counters are no part of
/// the model.
#[derive(Debug)]
pub(crate) struct Meeting<B: Backend, const N: usize, const BITS: u32 = 32> {
    pub(crate) barrier: Barrier<Model<B>, N, BITS>,
    pub(crate) notes: [B::Cell<u32>; 3],
    pub(crate) actions: B::Cell<u32>,
    pub(crate) joined: AtomicU32,
    met: Mutex<Vec<Met>>,
    pub(crate) failed: AtomicU32,
    pub(crate) resets: AtomicU32,
    pub(crate) interruptions: AtomicU32,
}

impl<B: Backend, const N: usize, const BITS: u32> Meeting<B, N, BITS> {
    pub(crate) fn of(members: [Word<B>; N]) -> Self {
        let places = from_fn(|_| Word64::new(0));
        Self {
            barrier: Barrier::from_parts(Word64::new(0), Word::new(0), Word::constant(0), members, places),
            notes: from_fn(|_| B::cell(0)),
            actions: B::cell(0),
            joined: AtomicU32::new(0),
            met: Mutex::default(),
            failed: AtomicU32::new(0),
            resets: AtomicU32::new(0),
            interruptions: AtomicU32::new(0),
        }
    }
    /// For scenarios in which no party joins. So the members' words are no memory to the checker.
    pub(crate) fn new() -> Self {
        Self::of(from_fn(|_| Word::constant(0)))
    }
    pub(crate) fn with_members() -> Self {
        Self::of(from_fn(|_| Word::new(0)))
    }

    pub(crate) fn join(&self, me: Participant<'_, Model<B>>) -> usize {
        let place = self.barrier.join(me).expect("there is a place");
        self.joined.fetch_or(1 << me.id.index(), SeqCst);
        step::<B>();
        place
    }

    pub(crate) fn wait(&self, me: Participant<'_, Model<B>>, deadline: Option<Duration>) -> Result<Passed, NotPassed> {
        let result = self.barrier.wait(me, deadline, false);
        self.note(result);
        result
    }

    /// Notes the answer of a wait.
    pub(crate) fn note(&self, answer: Result<Passed, NotPassed>) {
        match answer {
            Ok(Passed::Follower { index, generation }) => self.note_met(Met { generation, index, leads: false }),
            Ok(Passed::Leader { index, generation } | Passed::Runner { index, generation }) => {
                self.note_met(Met { generation, index, leads: true });
            }
            Err(_) => _ = self.failed.fetch_add(1, SeqCst),
        }
    }

    pub(crate) fn note_met(&self, met: Met) {
        self.met.lock().expect("no panic inside").push(met);
    }

    pub(crate) fn met(&self) -> Vec<Met> {
        self.met.lock().expect("no panic inside").clone()
    }

    /// Writes, waits, and reads what all the others wrote before they came.
    pub(crate) fn meet(&self, world: &World<B>, who: usize, deadline: Option<Duration>) {
        B::write(&self.notes[who], |note| *note += 1);
        match world.act(who, |me| self.wait(me, deadline)) {
            Ok(_) => {
                for note in &self.notes[..N] {
                    B::read(note, |note| assert_eq!(*note, 1, "one was released before another came"));
                }
            }
            Err(NotPassed::TimedOut) => assert!(deadline.is_some()),
            Err(NotPassed::Interrupted) => panic!("no wait is interrupted here"),
            Err(NotPassed::Broken { died: Some(id) }) => {
                assert!(world.has_died(id.index()), "the living are called dead")
            }
            Err(NotPassed::Broken { died: None }) => {}
        }
    }

    /// As [`wait`](Self::wait), but comes again whenever it is interrupted.
    pub(crate) fn wait_on(&self, me: Participant<'_, Model<B>>, has_action: bool) -> Result<Passed, NotPassed> {
        loop {
            match self.barrier.wait(me, None, has_action) {
                Err(NotPassed::Interrupted) => self.interruptions.fetch_add(1, SeqCst),
                answer => return answer,
            };
        }
    }

    /// Comes until it meets the others. After each failure it resets the barrier, if that is
    /// broken. If one party got the answer "met", and the other "not met", the other would wait
    /// forever.
    pub(crate) fn meet_at_last(&self, me: Participant<'_, Model<B>>, mut deadline: Option<Duration>) {
        while self.wait(me, deadline.take()).is_err() {
            if self.barrier.is_broken() {
                self.barrier.reset(me);
            }
        }
    }

    /// For a supervisor: aborts, if `dead` had not arrived. The barrier does not know that an
    /// undeclared party will come, and so cannot notice its death.
    pub(crate) fn abort_for(&self, dead: usize) {
        if !self.barrier.arrived().any(|id| id.index() == dead) {
            self.barrier.abort();
        }
    }

    /// For a supervisor: aborts, if `dead` had not joined.
    pub(crate) fn abort_for_member(&self, dead: usize) {
        if self.joined.load(SeqCst) >> dead & 1 == 0 {
            self.barrier.abort();
        }
    }

    /// Either all met, except the dead, or none did.
    pub(crate) fn all_or_none(&self, world: &World<B>) {
        let died = (0..N).filter(|who| world.has_died(*who)).count() as u32;
        let (met, failed) = (self.met().len() as u32, self.failed.load(SeqCst));
        assert!(met == 0 || failed == 0, "{met} met, and {failed} got an error");
        assert!(met + failed + died >= N as u32);
        assert!(met > 0 || failed == 0 || died > 0 || self.barrier.is_broken());
        self.each_generation_is_one_meeting(died as usize);
    }

    /// In each generation all parties met, except the dead. One of them was the leader, and each
    /// had its own place.
    pub(crate) fn each_generation_is_one_meeting(&self, died: usize) {
        let all = self.met();
        for Met { generation, .. } in &all {
            let parties: Vec<_> = all.iter().filter(|met| met.generation == *generation).collect();
            let leaders = parties.iter().filter(|met| met.leads).count();
            assert!(parties.len() <= N && parties.len() + died >= N, "of {N} parties {} met: {all:?}", parties.len());
            assert!(leaders == 1 || leaders == 0 && died > 0, "{leaders} leaders: {all:?}");
            for met in &parties {
                assert!(met.index < N, "no such index: {all:?}");
                let same = parties.iter().filter(|other| other.index == met.index).count();
                assert_eq!(same, 1, "one index for two: {all:?}");
            }
        }
    }
}
