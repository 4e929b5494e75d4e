"""A keeper of CPython's multiprocessing objects, and its parties.

It speaks the same lines with the driver as src/deaths/keeper.rs, and does with each object what
src/deaths/object.rs does.
"""

import ctypes
import mmap
import multiprocessing
import os
import signal
import socket
import struct
import sys
import time
import zlib

fork = multiprocessing.get_context("fork")
NAME, DIRECTORY = sys.argv[1:]

# The words of the ledger: src/deaths/ledger.rs.
STOP, TICKETS, LAST_PRODUCER, LAST_COUNT, RECEIVED, TORN, DOUBLED = range(7)
INSIDE, TOLD, UNTOLD, TOGETHER = range(7, 11)
CHURNERS = PRODUCERS = 4096
SENT, ARRIVED, EXPECTED = 1, 2, 3


def open_ledger():
    with open(os.path.join(DIRECTORY, "ledger"), "r+b") as file:
        return memoryview(mmap.mmap(file.fileno(), 0)).cast("Q")


ledger = open_ledger()


def turns(party):
    return 64 + party % CHURNERS


def of_producer(producer, which):
    return 64 + CHURNERS + producer % PRODUCERS * 4 + which


def die_with_the_parent():
    PR_SET_PDEATHSIG = 1
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    signal.alarm(60)


class Lock:
    def __init__(self, lock):
        self.lock = lock

    def obey(self, verb, numbers):
        if verb == "take":
            self.lock.acquire()
        elif verb == "give-back":
            self.lock.release()
        elif verb == "churn":
            self.churn(numbers[0])
        else:
            raise ValueError(verb)

    def churn(self, party):
        while not ledger[STOP]:
            self.lock.acquire()
            if ledger[INSIDE]:
                ledger[UNTOLD] += 1
            ledger[INSIDE] = party + 1
            for _ in range(50):
                pass
            if ledger[INSIDE] != party + 1:
                ledger[TOGETHER] += 1
            ledger[INSIDE] = 0
            self.lock.release()
            ledger[turns(party)] += 1


class Condition:
    def __init__(self):
        self.condition = fork.Condition(fork.Lock())

    def obey(self, verb, numbers):
        with self.condition:
            if verb == "wait":
                while not ledger[TICKETS]:
                    self.condition.wait()
                ledger[TICKETS] -= 1
            elif verb == "notify-one":
                ledger[TICKETS] += 1
                self.condition.notify()
            elif verb == "notify-all":
                ledger[TICKETS] += numbers[0]
                self.condition.notify_all()
            else:
                raise ValueError(verb)


class Barrier:
    def __init__(self):
        self.barrier = fork.Barrier(3)

    def obey(self, verb, numbers):
        import threading

        try:
            {"arrive": self.barrier.wait, "reset": self.barrier.reset}[verb]()
        except threading.BrokenBarrierError:
            return "BrokenBarrierError"


class Event:
    def __init__(self):
        self.event = fork.Event()

    def obey(self, verb, numbers):
        {"await": self.event.wait, "set": self.event.set, "clear": self.event.clear}[verb]()


def write_item(size, producer, number):
    body = struct.pack("<QQ", producer, number)
    body += body[8:] * (size // 8 - 3)
    return body + struct.pack("<Q", zlib.crc32(body))


def read_item(item, size):
    if len(item) != size or struct.unpack("<Q", item[-8:])[0] != zlib.crc32(item[:-8]):
        return None
    return struct.unpack("<QQ", item[:16])


def note(item):
    if item is None:
        ledger[TORN] += 1
    elif item[1] < ledger[of_producer(item[0], EXPECTED)]:
        ledger[DOUBLED] += 1
    else:
        ledger[of_producer(item[0], EXPECTED)] = item[1] + 1
        ledger[of_producer(item[0], ARRIVED)] += 1
    ledger[RECEIVED] += 1


class Torn(Exception):
    pass


class Channel:
    """With `send(bytes)` and `receive()`; the latter raises EOFError if no sender is left."""

    def obey(self, verb, numbers):
        if verb == "produce":
            self.produce(*numbers)
        elif verb == "consume":
            self.consume(*numbers)
        elif verb == "receive":
            try:
                item = read_item(self.receive(), numbers[0])
            except EOFError:
                return "EOFError"
            note(item)
            if item is None:
                raise Torn
        elif verb in ("become-sender", "become-receiver", "leave"):
            self.keep(verb)
        else:
            raise ValueError(verb)

    def produce(self, producer, count, size):
        for number in range(count):
            if ledger[STOP] and ledger[LAST_PRODUCER] != producer + 1:
                break
            ledger[of_producer(producer, 0)] = number + 1
            self.send(write_item(size, producer, number))
            ledger[of_producer(producer, SENT)] = number + 1

    def consume(self, size):
        while True:
            try:
                item = read_item(self.receive(), size)
            except EOFError:
                time.sleep(0.0002)  # another sender comes
                continue
            note(item)
            if ledger[LAST_PRODUCER] and item == (ledger[LAST_PRODUCER] - 1, ledger[LAST_COUNT] - 1):
                return

    def keep(self, verb):
        pass


class Queue(Channel):
    def __init__(self, queue):
        self.send, self.receive = queue.put, queue.get


class Pipe(Channel):
    def __init__(self):
        self.reader, self.writer = fork.Pipe(duplex=False)
        self.send, self.receive = self.writer.send_bytes, self.reader.recv_bytes

    def keep(self, verb):
        if verb != "become-sender":
            self.writer.close()
        if verb != "become-receiver":
            self.reader.close()


def make():
    return {
        "CPython Lock": lambda: Lock(fork.Lock()),
        "CPython RLock": lambda: Lock(fork.RLock()),
        "CPython Semaphore": lambda: Lock(fork.Semaphore(1)),
        "CPython Condition": Condition,
        "CPython Barrier": Barrier,
        "CPython Event": Event,
        "CPython Queue": lambda: Queue(fork.Queue(64)),
        "CPython SimpleQueue": lambda: Queue(fork.SimpleQueue()),
        "CPython Pipe": Pipe,
    }[NAME]()


def connect():
    stream = socket.socket(socket.AF_UNIX)
    stream.connect(os.path.join(DIRECTORY, "driver"))
    return stream, stream.makefile("r")


def obey(thing, line):
    verb, *numbers = line.split()
    try:
        told = thing.obey(verb, [int(number) for number in numbers])
        return f"told {told}" if told else "done"
    except Torn:
        return "failed a torn item"
    except Exception as error:
        return f"failed {type(error).__name__} {error}".replace("\n", " ")


def serve(thing, number):
    die_with_the_parent()
    stream, lines = connect()
    stream.sendall(f"party {number} {os.getpid()}\n".encode())
    for line in lines:
        stream.sendall(b"begins\n")
        victim = None
        if line.startswith("then-kill "):
            _, victim, line = line.split(maxsplit=2)
        reply = obey(thing, line)
        if victim:
            os.kill(int(victim), signal.SIGKILL)
        stream.sendall((reply + "\n").encode())
    os._exit(0)


def keep():
    die_with_the_parent()
    stream, lines = connect()

    def say(text):
        stream.sendall((text + "\n").encode())

    thing, children = make(), {}
    say(f"keeper {os.getpid()}")
    for line in lines:
        words = line.split()
        if words[0] == "start":
            child = fork.Process(target=serve, args=(thing, words[1]), daemon=True)
            child.start()
            children[child.pid] = child
        elif words[0] == "bury":
            child = children.pop(int(words[1]))
            child.join(10)
            say("done" if child.exitcode is not None else "failed it does not end")
        else:
            say(obey(thing, line))
    os._exit(0)


keep()
