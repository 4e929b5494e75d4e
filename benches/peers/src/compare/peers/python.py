"""Plays rounds with CPython's multiprocessing objects.

An order is a line: what to do, with which class, and numbers. The answer is `figure` with numbers,
or `failed` with a text. The children of a round are forked for it, and are waited for.
"""

import ctypes
import mmap
import multiprocessing
import os
import select
import signal
import struct
import sys
import time

fork = multiprocessing.get_context("fork")
now = time.perf_counter_ns


def die_with_the_parent():
    PR_SET_PDEATHSIG = 1
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    signal.alarm(60)


class Shared:
    """Numbers that children share."""

    def __init__(self, count):
        self.numbers = memoryview(mmap.mmap(-1, 8 * count)).cast("Q")


class Crowd:
    """Children that begin together. What a child returns is bytes, which `join` returns."""

    def __init__(self):
        self.children, self.gate = [], os.pipe()

    def add(self, processor, work, *arguments):
        reader, writer = os.pipe()
        child = os.fork()
        if child:
            os.close(writer)
            self.children.append((child, reader))
            return
        try:
            die_with_the_parent()
            os.sched_setaffinity(0, [processor % os.cpu_count()])
            os.read(self.gate[0], 1)
            answer = work(*arguments) or b""
            while answer:
                answer = answer[os.write(writer, answer):]
            os._exit(0)
        except BaseException as error:
            os.write(writer, f"{type(error).__name__} {error}".encode())
            os._exit(1)

    def begin(self):
        os.write(self.gate[1], b"x" * len(self.children))

    def join(self):
        answers, running = {reader: b"" for _, reader in self.children}, {r: c for c, r in self.children}
        while running:
            for reader in select.select(running, [], [])[0]:
                piece = os.read(reader, 1 << 20)
                answers[reader] += piece
                if not piece and os.waitpid(running.pop(reader), 0)[1]:
                    raise RuntimeError(answers[reader].decode() or "a child was killed")
        for end in (*self.gate, *answers):
            os.close(end)
        return list(answers.values())


class SetAndTaken:
    """An event, which is cleared when it is taken."""

    def __init__(self):
        self.event = fork.Event()
        self.give = self.event.set

    def take(self):
        self.event.wait()
        self.event.clear()


class Counted:
    def __init__(self):
        semaphore = fork.Semaphore(0)
        self.give, self.take = semaphore.release, semaphore.acquire


class WithCondition:
    def __init__(self):
        self.condition, self.is_given = fork.Condition(fork.Lock()), Shared(1).numbers

    def give(self):
        with self.condition:
            self.is_given[0] = 1
            self.condition.notify()

    def take(self):
        with self.condition:
            while not self.is_given[0]:
                self.condition.wait()
            self.is_given[0] = 0

    def notify(self):
        with self.condition:
            self.condition.notify()


SIGNALS = {"Event": SetAndTaken, "Semaphore": Counted, "Condition": WithCondition}


class OnePipe:
    def __init__(self):
        reader, writer = fork.Pipe(duplex=False)
        self.send, self.receive = writer.send_bytes, reader.recv_bytes

    def leave(self):
        pass


class OneQueue:
    def __init__(self, queue):
        self.send, self.receive, self.queue = queue.put, queue.get, queue

    def leave(self):
        # `Queue` sends in a thread of its own.
        if hasattr(self.queue, "join_thread"):
            self.queue.close()
            self.queue.join_thread()


def channel(name, capacity=256):
    if name == "Pipe":
        return OnePipe()
    return OneQueue(fork.Queue(capacity) if name == "Queue" else fork.SimpleQueue())


def timed(turns, *calls):
    begun = now()
    if len(calls) == 1:
        (call,) = calls
        for _ in range(turns):
            call()
    else:
        first, second = calls
        for _ in range(turns):
            first()
            second()
    return (now() - begun) / turns


made = {}


def once(key, make):
    """The same object in all rounds of a player."""
    if key not in made:
        made[key] = make()
    return made[key]


def pairs(name, turns):
    """Nanoseconds for an operation of one process."""
    if name in ("Lock", "RLock"):
        lock = once(name, getattr(fork, name))
        return [timed(turns, lock.acquire, lock.release)]
    if name == "Barrier":
        return [timed(turns, once(name, lambda: fork.Barrier(1)).wait)]
    signal_ = once(name, SIGNALS[name])
    if name == "Condition":
        return [timed(turns, signal_.notify)]
    return [timed(turns, signal_.give, signal_.take)]


def pairs_of_channel(name, length, turns):
    def make():
        return channel(name, 8)

    through, item = once(name, make), b"\7" * length

    def send():
        through.send(item)

    return [timed(turns, send, through.receive)]


def compete(name, processes, milliseconds, make_work):
    """What the processes return, and how long they competed."""
    lock, stop = getattr(fork, name)(), Shared(1).numbers
    crowd = Crowd()
    for me in range(processes):
        crowd.add(me, make_work(lock, stop))
    begun = now()
    crowd.begin()
    time.sleep(milliseconds / 1e3)
    stop[0] = 1
    elapsed = now() - begun
    return crowd.join(), elapsed


def contend(name, processes, milliseconds):
    """Turns a second of all, and the share of the one that got the least."""

    def make_work(lock, stop):
        def turns():
            count = 0
            while not (stop[0] and count):
                with lock:
                    count += 1
            return struct.pack("<Q", count)

        return turns

    answers, elapsed = compete(name, processes, milliseconds, make_work)
    counts = [struct.unpack("<Q", answer)[0] for answer in answers]
    return [sum(counts) / elapsed * 1e9, min(counts) / (sum(counts) / processes)]


def contend_by_the_clock(name, processes, milliseconds):
    """Waits in nanoseconds: 50 %, 99 %, 99.9 %, longest."""

    def make_work(lock, stop):
        def waits():
            all_ = []
            while not (stop[0] and all_):
                begun = now()
                with lock:
                    all_.append(now() - begun)
            return struct.pack(f"<{len(all_)}Q", *all_)

        return waits

    answers, _ = compete(name, processes, milliseconds, make_work)
    waits = b"".join(answers)
    waits = sorted(struct.unpack(f"<{len(waits) // 8}Q", waits))
    return [waits[min(int(len(waits) * part), len(waits) - 1)] for part in (0.5, 0.99, 0.999, 1.0)]


def play(one_processor, turns, first, second, leave=lambda: None):
    """Nanoseconds for one of the turns of two processes that do these things. The second leaves."""

    def run(do, leave):
        for _ in range(turns // 4):
            do()
        begun = now()
        for _ in range(turns):
            do()
        elapsed = now() - begun
        leave()
        return struct.pack("<Q", elapsed)

    crowd = Crowd()
    crowd.add(0, run, first, lambda: None)
    crowd.add(0 if one_processor else 1, run, second, leave)
    crowd.begin()
    return struct.unpack("<Q", crowd.join()[0])[0] / turns


def pingpong(name, one_processor, turns):
    if name == "Barrier":
        barrier = fork.Barrier(2)
        return [play(one_processor, turns, barrier.wait, barrier.wait)]
    to, fro = SIGNALS[name](), SIGNALS[name]()

    def first():
        to.give()
        fro.take()

    def second():
        to.take()
        fro.give()

    return [play(one_processor, turns, first, second) / 2]


def pingpong_of_channel(name, length, one_processor, turns):
    to, fro, item = channel(name), channel(name), b"\7" * length

    def first():
        to.send(item)
        fro.receive()

    def second():
        fro.send(to.receive())

    return [play(one_processor, turns, first, second, fro.leave) / 2]


def stream(name, senders, receivers, length, items):
    """Items a second."""
    if name == "Pipe" and (senders, receivers) != (1, 1):
        raise ValueError("one to one only: its ends are for one process each")
    through, item = channel(name, max(1, min(256, (4 << 20) // length))), b"\7" * length

    def send():
        begun = now()
        for _ in range(items // senders):
            through.send(item)
        through.leave()
        return struct.pack("<Q", begun)

    def receive():
        for _ in range(items // receivers):
            through.receive()
        return struct.pack("<Q", now())

    crowd = Crowd()
    for me in range(senders):
        crowd.add(me, send)
    for me in range(receivers):
        crowd.add(me + 1, receive)
    crowd.begin()
    times = [struct.unpack("<Q", answer)[0] for answer in crowd.join()]
    return [items / (max(times[senders:]) - min(times[:senders])) * 1e9]


def segment(what, name, _):
    """Nanoseconds to make, or to open, a segment and to use it."""
    from multiprocessing import resource_tracker, shared_memory

    # The tracker is a process of its own, which the first segment starts.
    resource_tracker.register = resource_tracker.unregister = lambda *_: None
    if what == "open":
        kept = once(name, lambda: shared_memory.SharedMemory(name, create=True, size=4096))
        begun = now()
        opened = shared_memory.SharedMemory(name)
        opened.buf[0] = 7
        opened.close()
        return [now() - begun] if kept else []
    begun = now()
    new = shared_memory.SharedMemory(name, create=True, size=4096)
    new.buf[0] = 7
    new.close()
    new.unlink()
    return [now() - begun]


def clean_up():
    for thing in made.values():
        if hasattr(thing, "unlink"):
            thing.unlink()


VERBS = {
    "pairs": pairs,
    "pairs-of-channel": pairs_of_channel,
    "contend": contend,
    "contend-by-the-clock": contend_by_the_clock,
    "pingpong": pingpong,
    "pingpong-of-channel": pingpong_of_channel,
    "stream": stream,
    "segment": segment,
}

die_with_the_parent()
for line in sys.stdin:
    signal.alarm(60)
    verb, *words = line.split()
    if verb == "end":
        break
    try:
        figures = VERBS[verb](*(int(word) if word.isdigit() else word for word in words))
        print("figure", *figures, flush=True)
    except Exception as error:
        print(f"failed {type(error).__name__} {error}".replace("\n", " "), flush=True)
clean_up()
