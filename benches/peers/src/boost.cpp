// Boost.Interprocess, as functions that Rust can call. Each object lies in memory that forked
// children share. A function returns 0, or 1 after an exception, whose text is then in `error`.

#include <boost/interprocess/ipc/message_queue.hpp>
#include <boost/interprocess/managed_shared_memory.hpp>
#include <boost/interprocess/mapped_region.hpp>
#include <boost/interprocess/shared_memory_object.hpp>
#include <boost/interprocess/sync/interprocess_condition.hpp>
#include <boost/interprocess/sync/interprocess_mutex.hpp>
#include <boost/interprocess/sync/interprocess_recursive_mutex.hpp>
#include <boost/interprocess/sync/interprocess_semaphore.hpp>
#include <boost/interprocess/sync/interprocess_sharable_mutex.hpp>
#include <boost/interprocess/sync/interprocess_upgradable_mutex.hpp>
#include <boost/interprocess/sync/scoped_lock.hpp>
#include <boost/version.hpp>
#include <cstring>
#include <exception>
#include <new>

namespace bi = boost::interprocess;

namespace {
char error[256];

template <class Work> int attempt(Work work) {
    try {
        work();
        return 0;
    } catch (const std::exception &thrown) {
        std::strncpy(error, thrown.what(), sizeof error - 1);
        return 1;
    }
}
} // namespace

extern "C" {
const char *boost_error() { return error; }

const char *boost_version() { return BOOST_LIB_VERSION; }

// The largest of them.
size_t boost_room() { return sizeof(bi::interprocess_upgradable_mutex) + sizeof(bi::interprocess_condition); }

int boost_mutex_new(void *at) {
    return attempt([=] { new (at) bi::interprocess_mutex; });
}
int boost_mutex_lock(void *at) {
    return attempt([=] { static_cast<bi::interprocess_mutex *>(at)->lock(); });
}
int boost_mutex_unlock(void *at) {
    return attempt([=] { static_cast<bi::interprocess_mutex *>(at)->unlock(); });
}

int boost_recursive_new(void *at) {
    return attempt([=] { new (at) bi::interprocess_recursive_mutex; });
}
int boost_recursive_lock(void *at) {
    return attempt([=] { static_cast<bi::interprocess_recursive_mutex *>(at)->lock(); });
}
int boost_recursive_unlock(void *at) {
    return attempt([=] { static_cast<bi::interprocess_recursive_mutex *>(at)->unlock(); });
}

int boost_sharable_new(void *at) {
    return attempt([=] { new (at) bi::interprocess_sharable_mutex; });
}
int boost_sharable_read(void *at) {
    return attempt([=] { static_cast<bi::interprocess_sharable_mutex *>(at)->lock_sharable(); });
}
int boost_sharable_end_read(void *at) {
    return attempt([=] { static_cast<bi::interprocess_sharable_mutex *>(at)->unlock_sharable(); });
}
int boost_sharable_write(void *at) {
    return attempt([=] { static_cast<bi::interprocess_sharable_mutex *>(at)->lock(); });
}
int boost_sharable_end_write(void *at) {
    return attempt([=] { static_cast<bi::interprocess_sharable_mutex *>(at)->unlock(); });
}

int boost_upgradable_new(void *at) {
    return attempt([=] { new (at) bi::interprocess_upgradable_mutex; });
}
int boost_upgradable_read(void *at) {
    return attempt([=] { static_cast<bi::interprocess_upgradable_mutex *>(at)->lock_sharable(); });
}
int boost_upgradable_end_read(void *at) {
    return attempt([=] { static_cast<bi::interprocess_upgradable_mutex *>(at)->unlock_sharable(); });
}
int boost_upgradable_write(void *at) {
    return attempt([=] { static_cast<bi::interprocess_upgradable_mutex *>(at)->lock(); });
}
int boost_upgradable_end_write(void *at) {
    return attempt([=] { static_cast<bi::interprocess_upgradable_mutex *>(at)->unlock(); });
}

int boost_condition_new(void *at) {
    return attempt([=] { new (at) bi::interprocess_condition; });
}
int boost_condition_wait(void *at, void *mutex) {
    return attempt([=] {
        bi::scoped_lock<bi::interprocess_mutex> lock(*static_cast<bi::interprocess_mutex *>(mutex), bi::accept_ownership);
        static_cast<bi::interprocess_condition *>(at)->wait(lock);
        lock.release();
    });
}
int boost_condition_notify_one(void *at) {
    return attempt([=] { static_cast<bi::interprocess_condition *>(at)->notify_one(); });
}
int boost_condition_notify_all(void *at) {
    return attempt([=] { static_cast<bi::interprocess_condition *>(at)->notify_all(); });
}

int boost_semaphore_new(void *at) {
    return attempt([=] { new (at) bi::interprocess_semaphore(1); });
}
int boost_semaphore_wait(void *at) {
    return attempt([=] { static_cast<bi::interprocess_semaphore *>(at)->wait(); });
}
int boost_semaphore_post(void *at) {
    return attempt([=] { static_cast<bi::interprocess_semaphore *>(at)->post(); });
}

// A queue is opened by its name. The name is removed at once, so that nothing of it can be left.
void *boost_queue_new(const char *name, size_t messages, size_t size) {
    void *queue = nullptr;
    attempt([&] {
        bi::message_queue::remove(name);
        queue = new bi::message_queue(bi::create_only, name, messages, size);
        bi::message_queue::remove(name);
    });
    return queue;
}
int boost_queue_send(void *queue, const void *bytes, size_t length) {
    return attempt([=] { static_cast<bi::message_queue *>(queue)->send(bytes, length, 0); });
}
int boost_queue_receive(void *queue, void *into, size_t room, size_t *length) {
    return attempt([=] {
        unsigned priority;
        bi::message_queue::size_type received;
        static_cast<bi::message_queue *>(queue)->receive(into, room, received, priority);
        *length = received;
    });
}
void boost_queue_delete(void *queue) { delete static_cast<bi::message_queue *>(queue); }

// Makes an object of shared memory with a mutex in it, and uses it.
int boost_object_make(const char *name) {
    return attempt([=] {
        bi::shared_memory_object object(bi::create_only, name, bi::read_write);
        object.truncate(4096);
        bi::mapped_region region(object, bi::read_write);
        auto mutex = new (region.get_address()) bi::interprocess_mutex;
        bi::scoped_lock<bi::interprocess_mutex> lock(*mutex);
    });
}
int boost_object_open(const char *name) {
    return attempt([=] {
        bi::shared_memory_object object(bi::open_only, name, bi::read_write);
        bi::mapped_region region(object, bi::read_write);
        bi::scoped_lock<bi::interprocess_mutex> lock(*static_cast<bi::interprocess_mutex *>(region.get_address()));
    });
}

// The same with Boost's allocator and names of objects in it.
int boost_managed_make(const char *name) {
    return attempt([=] {
        bi::managed_shared_memory memory(bi::create_only, name, 4096);
        auto mutex = memory.construct<bi::interprocess_mutex>("mutex")();
        bi::scoped_lock<bi::interprocess_mutex> lock(*mutex);
    });
}
int boost_managed_open(const char *name) {
    return attempt([=] {
        bi::managed_shared_memory memory(bi::open_only, name);
        auto mutex = memory.find<bi::interprocess_mutex>("mutex").first;
        bi::scoped_lock<bi::interprocess_mutex> lock(*mutex);
    });
}
int boost_remove(const char *name) {
    return attempt([=] { bi::shared_memory_object::remove(name); });
}

struct BoostSize {
    const char *name;
    size_t bytes;
};
static const BoostSize sizes[] = {
    {"Boost interprocess_mutex", sizeof(bi::interprocess_mutex)},
    {"Boost interprocess_recursive_mutex", sizeof(bi::interprocess_recursive_mutex)},
    {"Boost interprocess_sharable_mutex", sizeof(bi::interprocess_sharable_mutex)},
    {"Boost interprocess_upgradable_mutex", sizeof(bi::interprocess_upgradable_mutex)},
    {"Boost interprocess_condition", sizeof(bi::interprocess_condition)},
    {"Boost interprocess_semaphore", sizeof(bi::interprocess_semaphore)},
};
// The size of the object of this number; 0 if there is none.
size_t boost_size(size_t which, const char **name) {
    if (which >= sizeof sizes / sizeof *sizes)
        return 0;
    *name = sizes[which].name;
    return sizes[which].bytes;
}
}
