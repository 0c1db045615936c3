// A team of threads that share the tasks of a run of passes.
//
// Between two passes a thread first looks for the next one without sleeping, so that passes of less
// than a millisecond gain from it; after PATIENCE looks it sleeps until it is woken. A thread that is
// late, or never comes, costs nothing but its help: whoever leads the pass takes every task that
// nobody else has taken.
#pragma once

#include <atomic>
#include <functional>
#include <thread>
#include <vector>

#if defined(__linux__)
#include <sched.h>
#endif

#include "linear_algebra/arrays.hpp"

namespace bayesgmm {

inline void look_again(Index looks) {
    // A processor that two threads share must be left to the other one now and then.
    if (looks % 4096 == 4095) std::this_thread::yield();
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
}

// Linux starts a thread on the processor of its maker and moves it only after some tens of
// milliseconds. Until then two threads that wait for one another without sleeping share one
// processor, and a fit of that length sees no second thread at all: a new thread is kept away from
// its maker's processor.
class OtherProcessors {
public:
#if defined(__linux__)
    OtherProcessors() {
        const int here = sched_getcpu();
        known_ = here >= 0 && sched_getaffinity(0, sizeof others_, &others_) == 0;
        if (known_) CPU_CLR(here, &others_);
        known_ = known_ && CPU_COUNT(&others_) > 0;
    }
    void move_there() const {
        if (known_) sched_setaffinity(0, sizeof others_, &others_);
    }

private:
    cpu_set_t others_;
    bool known_ = false;
#else
    void move_there() const {}
#endif
};

class Team {
public:
    using Task = std::function<void(Index task, Index member)>;

    // `size` threads, the caller among them, for passes of `count` tasks each.
    Team(Index size, Index count) : count_(count), next_(count) {
        const OtherProcessors others;
        for (Index member = 1; member < size; ++member)
            members_.emplace_back([this, member, others] {
                others.move_there();
                follow(member);
            });
    }
    Team(const Team &) = delete;
    Team &operator=(const Team &) = delete;
    ~Team() {
        stop_ = true;
        wake();
        for (std::thread &each : members_) each.join();
    }

    // Call task(i, member) for each i below `count`; each by one thread, in any order.
    void run(const Task &task) {
        task_ = &task;
        done_ = 0;
        next_ = 0;
        if (!members_.empty()) wake();
        take(0);
        for (Index looks = 0; done_ < count_; ++looks) look_again(looks);
    }

private:
    static constexpr Index PATIENCE = 50'000;

    void wake() {
        ++passes_;
        passes_.notify_all();
    }
    void take(Index member) {
        for (Index i = next_.fetch_add(1); i < count_; i = next_.fetch_add(1)) {
            (*task_)(i, member);
            done_.fetch_add(1);
        }
    }
    void follow(Index member) {
        std::uint32_t seen = 0;
        while (!stop_) {
            for (Index looks = 0; looks < PATIENCE && passes_ == seen; ++looks) look_again(looks);
            passes_.wait(seen);
            seen = passes_;
            if (!stop_) take(member);
        }
    }

    const Index count_;
    std::atomic<Index> next_, done_{0};
    std::atomic<const Task *> task_{nullptr};
    std::atomic<std::uint32_t> passes_{0};
    std::atomic<bool> stop_{false};
    std::vector<std::thread> members_;
};

}  // namespace bayesgmm
