//! Models of `raw::Pipe`: each message is received once, in order, and whole. An end of the dead
//! can be taken over, and the other side learns of the death. Every operation may be a death.
#![cfg(any(feature = "loom", feature = "shuttle"))]

use core::time::Duration;
use outlive::platform::{Word as _, Word64 as _};
use outlive::raw::Participant;
#[cfg(feature = "loom")]
use outlive::raw::hold::HELD;
use outlive::raw::pipe::{Frame, Lane, NotReady, NotTaken, Pipe, Receiver, Sender, WORD, Words};
#[cfg(feature = "loom")]
use outlive::raw::table::recycle::Named;
use outlive_models::{Backend, DEADLINE, Explore, Model, Word, Word64, World};
#[cfg(feature = "loom")]
use outlive_models::{Broken, Left, NameReader, Newborn};
use std::sync::Mutex as StdMutex;
#[cfg(feature = "loom")]
use std::sync::atomic::Ordering::{Acquire, Release};

type Me<'t, B> = Participant<'t, Model<B>>;

const N: usize = 4;

/// The ring, and the bytes of its words. A frame has one word besides its header.
#[derive(Debug)]
struct Ring<B: Backend, const N: usize = 4> {
    words: [Word64<B>; N],
    bytes: [B::Cell<u32>; N],
}

impl<B: Backend, const N: usize> Ring<B, N> {
    fn of(word: u64) -> Self {
        Self { words: core::array::from_fn(|_| Word64::new(word)), bytes: core::array::from_fn(|_| B::cell(0)) }
    }
}

impl<B: Backend, const N: usize> Words<Model<B>> for Ring<B, N> {
    fn count(&self) -> u64 {
        N as u64
    }
    fn word(&self, position: u64) -> &Word64<B> {
        &self.words[position as usize % N]
    }
}

/// A pipe for numbers. A message consists of so many frames, each of which has the number. The
/// notes say what was sent and received. They are no part of the model.
#[derive(Debug)]
struct State<B: Backend> {
    pipe: Pipe<Model<B>>,
    ring: Ring<B>,
    sent: StdMutex<Vec<u32>>,
    received: StdMutex<Vec<u32>>,
    /// Those that were not given back.
    receiver: StdMutex<Option<Receiver>>,
}

impl<B: Backend> State<B> {
    fn empty() -> Self {
        Self {
            pipe: Pipe::from_words(Word64::new(0), Word64::new(0), core::array::from_fn(|_| Word::new(0))),
            ring: Ring::of(0),
            sent: StdMutex::default(),
            received: StdMutex::default(),
            receiver: StdMutex::default(),
        }
    }

    fn lane(&self) -> Lane<'_, Model<B>, Ring<B>> {
        self.pipe.with(&self.ring)
    }

    /// Sends a number in so many frames.
    fn send(
        &self,
        me: Me<'_, B>,
        sender: &mut Sender,
        number: u32,
        frames: u64,
        deadline: Option<Duration>,
    ) -> Result<(), NotReady> {
        for frame in 0..frames {
            let frame = self.lane().frame(sender, (frames - frame) * WORD, frame > 0);
            if !self.lane().has_room_for(sender, &frame) {
                self.lane().reserve(me, sender, &frame, deadline)?;
            }
            B::write(&self.ring.bytes[frame.data() as usize % N], |place| *place = number);
            self.lane().publish(sender, frame);
        }
        self.sent.lock().expect("no panic inside").push(number);
        Ok(())
    }

    /// Takes the sending end, sends these numbers, and gives the end back.
    fn send_all(&self, me: Me<'_, B>, numbers: &[u32], frames: u64) {
        let Ok(mut sender) = self.lane().take_sender(me) else { return };
        for number in numbers {
            if let Err(error) = self.send(me, &mut sender, *number, frames, None) {
                assert!(matches!(error, NotReady::PeerDied(_) | NotReady::Closed), "{error:?}");
                break;
            }
        }
        self.lane().give_back_sender(&sender);
    }

    /// Receives numbers by `next` until there is none.
    fn receive_by(
        &self,
        receiver: &mut Receiver,
        next: impl Fn(&mut Receiver) -> Result<Frame, NotReady>,
        most: usize,
    ) -> NotReady {
        let (mut part, mut count) = (None, 0);
        loop {
            let frame = match next(receiver) {
                Ok(frame) => frame,
                Err(error) => return error,
            };
            let number = B::read(&self.ring.bytes[frame.data() as usize % N], |number| *number);
            let (left, is_last) = (frame.left(), frame.is_last());
            let is_mine = if frame.continues() { part == Some((number, left)) } else { true };
            if is_last {
                self.lane().finish(receiver, frame);
            } else {
                self.lane().finish_and_go_on(receiver, frame).expect("a sender sent it");
            }
            part = (is_mine && !is_last).then_some((number, left - WORD));
            if is_mine && is_last {
                self.received.lock().expect("no panic inside").push(number);
                count += 1;
                if count == most {
                    return NotReady::WouldBlock;
                }
            }
        }
    }

    /// Takes the receiving end, and receives until the pipe ends. If its sender is dead, the end is
    /// kept.
    fn receive_all(&self, me: Me<'_, B>) {
        let Ok(mut receiver) = self.lane().take_receiver(me) else { return };
        match self.receive_by(&mut receiver, |receiver| self.lane().next_frame(me, receiver, None), usize::MAX) {
            NotReady::Closed => self.lane().give_back_receiver(&receiver),
            NotReady::PeerDied(_) => *self.receiver.lock().expect("no panic inside") = Some(receiver),
            error => panic!("{error:?}"),
        }
    }

    /// At the end: 2 receives what is left.
    fn check(&self, world: &World<B>) {
        let died = world.has_died(1);
        world.act(2, |me| {
            let kept = self.receiver.lock().expect("no panic inside").take();
            let receiver = kept.or_else(|| self.lane().take_receiver(me).ok());
            if let Some(mut receiver) = receiver {
                let end =
                    self.receive_by(&mut receiver, |receiver| self.lane().try_next_frame(me, receiver), usize::MAX);
                assert_ne!(end, NotReady::Malformed);
            }
        });
        let (sent, received) = (self.sent.lock().expect("no panic"), self.received.lock().expect("no panic"));
        assert!(received.is_sorted_by(|a, b| a < b), "{received:?}");
        let missing = sent.iter().filter(|number| !received.contains(number)).count();
        assert!(missing <= usize::from(died), "of {sent:?} only {received:?} were received");
        // Who dies after it has published has not noted that.
        let unsent = received.iter().filter(|number| !sent.contains(number)).count();
        assert!(unsent <= usize::from(world.has_died(0)), "of {sent:?} all of {received:?} were received");
    }
}

/// 0 sends two numbers of so many frames, and gives its end back. 1 receives to the end. If 0 dies,
/// the supervisor sends another one in its place. If 1 dies, the supervisor receives in its place,
/// or 0 learns of the death. 2 checks.
fn one_to_one<B: Backend, const FRAMES: u64>() -> Explore<B, State<B>> {
    Explore::new(3, State::empty, |world: &World<B>, who, state: &State<B>| {
        if who < 2 {
            world.act(who, |me| match who {
                0 => state.send_all(me, &[1, 2], FRAMES),
                _ => state.receive_all(me),
            });
        }
    })
    .after(|world, dead, supervisor, state| {
        world.act(supervisor, |me| if dead == 0 { state.send_all(me, &[8], 1) } else { state.receive_all(me) });
    })
    .check(|state, world| state.check(world))
}

/// 0 sends one number. 1 receives it, and stops. Nobody sleeps.
fn once<B: Backend>() -> Explore<B, State<B>> {
    Explore::new(3, State::empty, |world: &World<B>, who, state: &State<B>| {
        if who < 2 {
            world.act(who, |me| match who {
                0 => state.send_all(me, &[1], 1),
                _ => {
                    let mut receiver = state.lane().take_receiver(me).expect("free");
                    let end = state.receive_by(&mut receiver, |one| state.lane().try_next_frame(me, one), usize::MAX);
                    assert!(matches!(end, NotReady::WouldBlock | NotReady::Closed | NotReady::PeerDied(_)), "{end:?}");
                    // To the end means all of it.
                    let is_all = !state.received.lock().expect("no panic inside").is_empty();
                    assert!(is_all || end != NotReady::Closed, "it has ended without the number");
                    *state.receiver.lock().expect("no panic inside") = Some(receiver);
                }
            });
        }
    })
    .check(|state, world| state.check(world))
}

/// The ring is full. 0 tries to send one more, without waiting, while 1 receives one.
#[cfg(feature = "loom")]
fn words_are_used_again<B: Backend>() -> Explore<B, State<B>> {
    Explore::new(3, State::empty, |world: &World<B>, who, state: &State<B>| {
        if who < 2 {
            world.act(who, |me| match who {
                0 => {
                    let mut sender = state.lane().take_sender(me).expect("free");
                    for number in 1..=3 {
                        let frame = state.lane().frame(&sender, WORD, false);
                        if state.lane().has_room_for(&mut sender, &frame) {
                            state.send(me, &mut sender, number, 1, None).expect("there is room");
                        }
                    }
                }
                _ => {
                    let mut receiver = state.lane().take_receiver(me).expect("free");
                    let end = state.receive_by(&mut receiver, |one| state.lane().find(one), usize::MAX);
                    assert_eq!(end, NotReady::WouldBlock);
                    *state.receiver.lock().expect("no panic inside") = Some(receiver);
                }
            });
        }
    })
    .check(|state, world| state.check(world))
}

/// A pipe whose words were overwritten, or that has a larger ring.
#[cfg(feature = "loom")]
type Bare<B, const N: usize> = (Pipe<Model<B>>, Ring<B, N>);

#[cfg(feature = "loom")]
fn bare<B: Backend, const N: usize>(head: u64, word: u64) -> Bare<B, N> {
    let words = core::array::from_fn(|_| Word::new(0));
    (Pipe::from_words(Word64::new(0), Word64::new(head), words), Ring::of(word))
}

/// Three frames are in the ring, of two words, one, and one. 1 takes the end of their sender, and
/// sends one more: it comes where the first one was. 0 receives meanwhile.
#[cfg(feature = "loom")]
fn a_look_is_enough<B: Backend>() -> Explore<B, Bare<B, 8>> {
    let start = || {
        let header = |at: u64, words: u64| at << 48 | (words * WORD) << 2 | 1;
        let words = [header(0, 2), 0, 0, header(3, 1), 0, header(5, 1), 0, 0];
        let ring = Ring { words: words.map(Word64::new), ..Ring::of(0) };
        (Pipe::from_words(Word64::new(7), Word64::new(0), core::array::from_fn(|_| Word::new(0))), ring)
    };
    Explore::new(2, start, |world: &World<B>, who, (pipe, ring): &Bare<B, 8>| {
        let lane = pipe.with(ring);
        world.act(who, |me| match who {
            1 => {
                let mut sender = lane.take_sender(me).expect("free");
                let frame = lane.frame(&sender, 2 * WORD, false);
                if lane.has_room_for(&mut sender, &frame) {
                    for word in 0..2 {
                        B::write(&ring.bytes[(frame.data() + word) as usize % 8], |place| *place = 1);
                    }
                    lane.publish(&mut sender, frame);
                }
            }
            _ => {
                let mut receiver = lane.take_receiver(me).expect("free");
                for _ in 0..2 {
                    let frame = lane.find(&receiver).expect("sent long ago");
                    B::read(&ring.bytes[frame.data() as usize % 8], |place| assert_eq!(*place, 0));
                    lane.finish(&mut receiver, frame);
                }
            }
        });
    })
}

/// All words of the ring are garbage, and the receiver is where no frame begins. 0 sends one. If it
/// dies, the supervisor takes its end over.
#[cfg(feature = "loom")]
fn garbage<B: Backend>() -> Explore<B, Bare<B, 4>> {
    const GARBAGE: u64 = u64::MAX;
    Explore::new(
        3,
        || bare(5, GARBAGE),
        |world: &World<B>, who, (pipe, ring): &Bare<B, 4>| {
            let lane = pipe.with(ring);
            world.act(who, |me| match who {
                0 => {
                    let mut sender = lane.take_sender(me).expect("free");
                    let frame = lane.frame(&sender, WORD, false);
                    lane.publish(&mut sender, frame);
                }
                1 => {
                    let mut receiver = lane.take_receiver(me).expect("free");
                    assert_eq!(lane.try_next_frame(me, &mut receiver), Err(NotReady::Malformed));
                    let found = lane.find(&receiver);
                    match receiver.at() {
                        0 => assert!(found.is_err() || found.is_ok_and(|frame| frame.bytes() == WORD), "{found:?}"),
                        2 => assert_eq!(found, Err(NotReady::WouldBlock)),
                        other => panic!("no frame begins at {other}"),
                    }
                }
                _ => {}
            });
        },
    )
    .after(|world, dead, supervisor, (pipe, ring)| {
        if dead == 0 {
            world.act(supervisor, |me| drop(pipe.with(ring).take_sender(me)));
        }
    })
}

/// A pipe, whether its sender was moved, and the sender.
#[cfg(feature = "loom")]
type Moving<B> = (Bare<B, 4>, Word<B>, StdMutex<Option<Sender>>);

/// 0 sends one message, and hands its end to 2, which gives it back. 1 receives.
#[cfg(feature = "loom")]
fn an_end_moves<B: Backend>() -> Explore<B, Moving<B>> {
    let start = || (bare(0, 0), Word::new(0), StdMutex::default());
    Explore::new(3, start, |world: &World<B>, who, ((pipe, ring), is_moved, moved)| {
        let lane = pipe.with(ring);
        world.act(who, |me| match who {
            0 => {
                let mut sender = lane.take_sender(me).expect("free");
                let frame = lane.frame(&sender, WORD, false);
                lane.publish(&mut sender, frame);
                *moved.lock().expect("no panic inside") = Some(sender);
                is_moved.swap(1, Release);
            }
            1 => {
                let mut receiver = lane.take_receiver(me).expect("free");
                let found = lane.try_next_frame(me, &mut receiver);
                assert!(found.is_ok() || found == Err(NotReady::WouldBlock), "{found:?}");
            }
            _ => {
                if is_moved.swap(0, Acquire) == 1 {
                    let sender = moved.lock().expect("no panic inside").take().expect("moved");
                    lane.give_back_sender(&sender);
                }
            }
        });
    })
}

/// 0 sends a number, and 1 gives up waiting for it at some moment; or 1 is interrupted.
fn one_gives_up<B: Backend, const TIMEOUT: bool>() -> Explore<B, State<B>> {
    let explore = Explore::new(3, State::empty, |world: &World<B>, who, state: &State<B>| {
        if who < 2 {
            world.act(who, |me| match who {
                0 => state.send_all(me, &[1], 1),
                _ => {
                    let mut receiver = state.lane().take_receiver(me).expect("free");
                    let deadline = TIMEOUT.then_some(DEADLINE);
                    let next = |one: &mut Receiver| state.lane().next_frame(me, one, deadline);
                    let end = state.receive_by(&mut receiver, next, 1);
                    let expected = if TIMEOUT { NotReady::TimedOut } else { NotReady::Interrupted };
                    let others = matches!(end, NotReady::WouldBlock | NotReady::PeerDied(_));
                    assert!(end == expected || others, "{end:?}");
                    *state.receiver.lock().expect("no panic inside") = Some(receiver);
                }
            });
        }
    })
    .check(|state, world| state.check(world));
    if TIMEOUT { explore } else { explore.interrupted(&[1]) }
}

/// 0 and 1 want the same end. One of them gets it, and 2 takes it over if it is dead.
fn two_want_an_end<B: Backend>() -> Explore<B, State<B>> {
    Explore::new(3, State::empty, |world: &World<B>, who, state: &State<B>| {
        if who < 2 {
            world.act(who, |me| match state.lane().take_sender(me) {
                Ok(sender) => {
                    let mut sent = state.sent.lock().expect("no panic inside");
                    sent.push(sender.holder().index() as u32);
                }
                Err(NotTaken::Taken(by)) => assert_ne!(by, me.id),
                Err(NotTaken::Closed) => panic!("nobody closes it"),
            });
        }
    })
    .check(|state, world| {
        let have = state.sent.lock().expect("no panic inside");
        let living: Vec<_> = have.iter().filter(|who| !world.has_died(**who as usize)).collect();
        assert!(living.len() <= 1, "{have:?} have the same end");
        world.act(2, |me| match state.lane().take_sender(me) {
            Ok(_) => assert!(living.is_empty(), "{have:?} have the end"),
            Err(error) => assert!(matches!(error, NotTaken::Taken(by) if !world.has_died(by.index())), "{error:?}"),
        });
    })
}

/// 0 takes the sender and ends by itself, while its process lives: another thread of it may have
/// the end. So 1 waits on. If the process `ENDS`, 1 learns of that.
#[cfg(feature = "loom")]
fn leaked<B: Backend, const ENDS: bool>() -> Explore<B, State<B>> {
    Explore::new(2, State::empty, |world: &World<B>, who, state: &State<B>| match who {
        0 => world.act(who, |me| {
            let _kept = state.lane().take_sender(me).expect("free");
            world.table().leak(me.id);
            world.end(who);
            if ENDS {
                world.end_process(who);
            }
        }),
        _ => world.act(who, |me| {
            let mut receiver = state.lane().take_receiver(me).expect("free");
            let end = state.lane().try_next_frame(me, &mut receiver).expect_err("nothing was sent");
            assert!(ENDS || end == NotReady::WouldBlock, "{end:?}");
        }),
    })
    .leakers(&[0])
    .check(|state, world| {
        world.act(1, |me| assert_eq!(state.lane().take_sender(me).is_ok(), ENDS));
    })
}

/// A slot has one generation in a round.
#[cfg(feature = "loom")]
type InOne = outlive_models::Loom<128, 1>;

/// A former participant, in slot 2, has left the sender. 0 takes it over, and dies with it. So no
/// word names the former participant any more. 2 comes then, may get its id, takes the end over,
/// and leaks it. 1 wants the end, and may have judged the former participant before that.
#[cfg(feature = "loom")]
fn an_id_that_comes_round<B: Backend>() -> Explore<B, (State<B>, B::Cell<u32>)> {
    let make = || {
        let words = [0, 0, HELD | 1 << 12 | 2, 0].map(Word::new);
        (State { pipe: Pipe::from_words(Word64::new(0), Word64::new(0), words), ..State::empty() }, B::cell(0))
    };
    let body = |world: &World<B>, who, (state, data): &(State<B>, B::Cell<u32>)| {
        let write = || B::write(data, |data| *data += 1);
        match who {
            0 => world.act(who, |me| {
                if state.lane().take_sender(me).is_ok() {
                    world.end(who);
                }
            }),
            1 => world.act(who, |me| {
                if state.lane().take_sender(me).is_ok() {
                    write();
                }
            }),
            _ => {
                let table = world.table();
                let read = |named: &mut Named| state.pipe.sender().into_iter().for_each(|id| named.note(id.word()));
                let reader = NameReader { newborn: Newborn { world, who }, read };
                let Ok(id) = table.register(&reader) else { return };
                if state.lane().take_sender(Participant { id, table: &table }).is_ok() {
                    write();
                    table.leak(id);
                    world.end(who);
                    write();
                }
            }
        }
    };
    Explore::new(3, make, body).newcomers(1).leakers(&[0]).left(Left::Marked).executions(400_000)
}

outlive_models::models! { with_loom, Loom, "loom",
    a_late_heir_is_given_no_leaked_end: |n| an_id_that_comes_round::<InOne>().holds(n);
    messages_arrive_whoever_dies: |n| one_to_one::<B, 1>().victims(&[0, 1]).executions(1_000).holds(n);
    a_word_is_written_right_after_the_look: |n| a_look_is_enough::<B>().holds(n);
    behind_garbage_a_frame_begins: |n| garbage::<B>().victims(&[0]).holds(n);
    another_thread_gives_the_end_back: |n| an_end_moves::<B>().holds(n);
    messages_of_two_parts_arrive_whoever_dies: |n| one_to_one::<B, 2>().victims(&[0, 1]).executions(500).holds(n);
    any_two_may_die: |n| once::<B>().victims(&[0, 1]).pairs().holds(n);
    a_wait_may_return_without_a_reason: |n| one_to_one::<B, 1>().spurious().executions(1_000).holds(n);
    the_first_phase_changes_nothing: |n| one_to_one::<B, 1>().victims(&[0]).first_phase().executions(500).holds(n);
    all_is_received_before_the_end: |n| once::<B>().victims(&[0, 1]).holds(n);
    a_word_is_written_when_it_was_read: |n| words_are_used_again::<B>().holds(n);
    a_timeout_loses_no_message_whoever_dies: |n| one_gives_up::<B, true>().victims(&[0]).executions(1_000).holds(n);
    an_interruption_loses_no_message: |n| one_gives_up::<B, false>().executions(1_000).holds(n);
    an_end_has_one_owner: |n| two_want_an_end::<B>().victims(&[0, 1]).holds(n);
    a_leaked_end_counts: |n| leaked::<B, false>().holds(n);
    a_leaked_end_is_gone_with_its_process: |n| leaked::<B, true>().holds(n);
    a_frame_is_published_with_its_bytes: |n| once::<B>().broken(Broken::NO_RELEASE).fails(n);
    a_frame_is_found_with_its_bytes: |n| once::<B>().broken(Broken::NO_ACQUIRE).fails(n);
    a_word_is_not_written_before: |n| words_are_used_again::<B>().broken(Broken::NO_ACQUIRE).fails(n);
    without_fences_a_waiter_sleeps_on: |n| one_to_one::<B, 1>().broken(Broken::NO_FENCE).fails(n);
    a_check_before_the_collection_hangs:
        |n| one_to_one::<B, 1>().victims(&[0]).broken(Broken::LATE_COLLECTION).fails(n);
}

outlive_models::models! { with_shuttle, Shuttle, "shuttle",
    messages_arrive_whoever_dies: |n| one_to_one::<B, 1>().victims(&[0, 1]).holds(n);
    messages_of_three_parts_arrive_whoever_dies: |n| one_to_one::<B, 3>().victims(&[0, 1]).holds(n);
    any_two_may_die: |n| once::<B>().victims(&[0, 1]).pairs().holds(n);
    a_timeout_loses_no_message_whoever_dies: |n| one_gives_up::<B, true>().victims(&[0]).holds(n);
    an_interruption_loses_no_message: |n| one_gives_up::<B, false>().holds(n);
    an_end_has_one_owner: |n| two_want_an_end::<B>().victims(&[0, 1]).holds(n);
}
