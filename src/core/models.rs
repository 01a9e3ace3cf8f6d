//! Models of what threads do to each other, of the code itself. loom tries all interleavings of a few threads, and all
//! stale values that the memory orderings allow; shuttle tries many random schedules of more threads.
//!
//! A thread that waits for ever is found by both: "deadlock". `tests/weaken.py` takes an ordering or the order of two
//! steps away from the code, one at a time, and shows that a model fails for each.

use super::attention::{Attention, Signal, ABORT, CHECKPOINT, HALTED, LEVELS, MAIL, PAUSE};
use super::bell::Bell;
use super::client::{Client, Next, Place};
use super::desk::{Desk, Found, Leave, Source};
use super::event::{Event, Kind, ALL_KINDS};
use super::hub::{Hub, ToTell};
use super::inbox::{Ask, Inbox, Request};
use super::mailbox::{Mailbox, Rest};
use super::message::Message;
use super::point::{self, Computation};
use super::reply::{pair, Answerer, Awaiter, Claim};
use super::stance::Stance;
use super::status::Status;
use super::stream::Block;
use super::sync::{Arc, AtomicBool, AtomicU32, AtomicU64, Futex, Mutex, Ordering};
use super::turn::Turn;
use std::time::Instant;

#[cfg(loom)]
use loom::thread;
#[cfg(shuttle)]
use shuttle::thread;

#[cfg(loom)]
fn explore(model: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    // A thread may lose the processor three times without asking for it: that finds nearly all there is to find.
    // LOOM_MAX_PREEMPTIONS says otherwise.
    builder.preemption_bound.get_or_insert(3);
    builder.check(model);
}

/// How many threads do the same at a time. loom's time grows with its power.
#[cfg(loom)]
const MANY: u32 = 2;
#[cfg(shuttle)]
const MANY: u32 = 4;

#[cfg(shuttle)]
fn explore(model: impl Fn() + Send + Sync + 'static) {
    let schedules = std::env::var("PARK_SHUTTLE_SCHEDULES").ok().and_then(|text| text.parse().ok());
    shuttle::check_random(model, schedules.unwrap_or(20_000));
}

fn spawn_many<T: Send + 'static>(make: impl Fn(u32) -> Box<dyn FnOnce() -> T + Send>) -> Vec<thread::JoinHandle<T>> {
    (0..MANY).map(|index| thread::spawn(make(index))).collect()
}

fn join<T>(threads: Vec<thread::JoinHandle<T>>) -> Vec<T> {
    threads.into_iter().map(|thread| thread.join().unwrap()).collect()
}

// ---- the bell and the mailbox ----------------------------------------------------------------------

#[test]
fn a_ring_is_heard_and_shows_what_was_done_before() {
    explore(|| {
        let shared = Arc::new((Bell::new(), [AtomicBool::new(false), AtomicBool::new(false)]));
        let ringers: Vec<_> = (0..2)
            .map(|index| {
                let shared = shared.clone();
                thread::spawn(move || {
                    shared.1[index].store(true, Ordering::Relaxed);
                    shared.0.ring();
                })
            })
            .collect();
        loop {
            let ticket = shared.0.ticket();
            if shared.1.iter().all(|done| done.load(Ordering::Relaxed)) {
                break;
            }
            shared.0.sleep(ticket, None);
        }
        join(ringers);
    });
}

#[test]
fn a_task_is_performed_or_given_back() {
    explore(|| {
        let mailbox = Arc::new(Mailbox::new());
        let senders = spawn_many(|index| {
            let mailbox = mailbox.clone();
            Box::new(move || {
                if index == 0 {
                    mailbox.close();
                }
                mailbox.send(index)
            })
        });
        let mut seen_to = Vec::new();
        mailbox.serve(|| Rest::Until(None), |task| seen_to.push(task));
        seen_to.extend(join(senders).into_iter().flatten());
        seen_to.sort_unstable();
        assert_eq!(seen_to, (0..MANY).collect::<Vec<_>>());
    });
}

#[test]
fn a_task_is_performed_without_another_ring() {
    explore(|| {
        let mailbox = Arc::new(Mailbox::new());
        let senders = spawn_many(|index| {
            let mailbox = mailbox.clone();
            Box::new(move || assert_eq!(mailbox.send(index), None))
        });
        let mut performed = 0;
        let taken = AtomicU32::new(0);
        mailbox.serve(
            || {
                if taken.load(Ordering::Relaxed) == MANY {
                    mailbox.close();
                }
                Rest::Until(None)
            },
            |_| {
                performed += 1;
                taken.store(performed, Ordering::Relaxed);
                if performed == MANY {
                    mailbox.ring();
                }
            },
        );
        assert_eq!(performed, MANY);
        join(senders);
    });
}

#[test]
fn the_service_looks_after_a_ring() {
    explore(|| {
        let shared = Arc::new((Mailbox::<()>::new(), AtomicBool::new(false)));
        let other = shared.clone();
        let ringer = thread::spawn(move || {
            other.1.store(true, Ordering::Relaxed);
            other.0.ring();
        });
        shared.0.serve(
            || {
                if shared.1.load(Ordering::Relaxed) {
                    shared.0.close();
                }
                Rest::Until(None)
            },
            |()| {},
        );
        ringer.join().unwrap();
    });
}

// ---- the attention word ----------------------------------------------------------------------------

const HANDLE: u64 = 1 << 63 | 16;

/// A handler's two words, its inbox, and a word of the user's.
struct Job {
    word: AtomicU64,
    control: Futex,
    inbox: Inbox,
    users: AtomicU32,
}

impl Job {
    fn new() -> Arc<Job> {
        Arc::new(Job {
            word: AtomicU64::new(HANDLE),
            control: Futex::new(0),
            inbox: Inbox::new(),
            users: AtomicU32::new(0),
        })
    }

    fn running() -> Arc<Job> {
        let job = Job::new();
        job.attention().begin();
        job
    }

    fn attention(&self) -> Attention<'_> {
        Attention { word: &self.word, control: &self.control }
    }

    fn signal(&self, signal: Signal) -> bool {
        self.attention().signal(signal) == Status::Ok
    }

    /// As the end of a run does it.
    fn end(&self) {
        self.inbox.close();
        self.attention().end();
    }

    fn send(&self) -> Awaiter {
        let (answerer, awaiter) = pair();
        let request = Request { ask: Ask::Get, message: Message::default(), answerer, undo: Vec::new() };
        self.inbox.push(request, &self.attention());
        awaiter
    }
}

/// A loop, and what has come to it.
struct Loop<'a> {
    job: &'a Job,
    served: usize,
    checkpoints: u32,
    halts: u32,
    /// Called when a checkpoint is asked for and when it goes on: what the user's word holds then.
    seen: Vec<u32>,
}

impl Loop<'_> {
    fn of(job: &Job) -> Loop<'_> {
        Loop { job, served: 0, checkpoints: 0, halts: 0, seen: Vec::new() }
    }

    /// `park_ready`.
    fn ready(&mut self) -> Status {
        if self.job.word.load(Ordering::Relaxed) == HANDLE {
            return Status::Ok;
        }
        point::pass(&self.job.attention(), self)
    }

    fn look(&mut self) {
        self.seen.push(self.job.users.load(Ordering::Relaxed));
    }
}

impl Computation for Loop<'_> {
    fn serve(&mut self, edges: u32, room: &mut usize) {
        if edges & CHECKPOINT != 0 {
            self.checkpoints += 1;
            self.look();
        }
        if edges & MAIL != 0 {
            self.job.inbox.serve(&self.job.attention(), room, |request| {
                self.served += 1;
                request.answerer.answer(Ok(Message::default()));
            });
        }
    }

    fn verdict(&mut self, control: u32) -> Status {
        if control & ABORT == 0 {
            return Status::Ok;
        }
        self.look();
        Status::Aborted
    }

    fn can_halt(&self) -> bool {
        true
    }

    fn halted(&mut self) {
        self.halts += 1;
    }

    fn goes_on(&mut self) {
        self.halts -= 1;
        self.look();
    }
}

#[test]
fn attention_is_never_lost() {
    explore(|| {
        let job = Job::running();
        let raisers = spawn_many(|_| {
            let job = job.clone();
            Box::new(move || {
                job.users.fetch_add(1, Ordering::Relaxed);
                assert!(job.signal(Signal::Checkpoint));
            })
        });
        let mut computation = Loop::of(&job);
        computation.ready();
        computation.ready();
        // Who raised is gone, and will not raise again: this ready point must see what is left.
        join(raisers);
        computation.ready();
        assert!(computation.checkpoints >= 1);
        assert_eq!(computation.seen.last(), Some(&MANY));
        assert_eq!(job.word.load(Ordering::Relaxed), HANDLE);
    });
}

#[test]
fn a_checkpoint_sees_what_was_done_before_it_was_asked_for() {
    explore(|| {
        let job = Job::running();
        let other = job.clone();
        let raiser = thread::spawn(move || {
            other.users.store(1, Ordering::Relaxed);
            assert!(other.signal(Signal::Checkpoint));
        });
        let mut computation = Loop::of(&job);
        computation.ready();
        computation.ready();
        assert!(computation.seen.iter().all(|&seen| seen == 1));
        raiser.join().unwrap();
    });
}

// ---- requests and replies --------------------------------------------------------------------------

#[test]
fn a_request_is_served_at_the_next_ready_point() {
    explore(|| {
        let job = Job::running();
        let senders = spawn_many(|_| {
            let job = job.clone();
            Box::new(move || job.send())
        });
        let mut computation = Loop::of(&job);
        computation.ready();
        computation.ready();
        let awaiters = join(senders);
        computation.ready();
        assert_eq!(computation.served, MANY as usize);
        for awaiter in awaiters {
            assert!(awaiter.wait(None).is_ok());
        }
    });
}

#[test]
fn a_request_is_answered_when_the_job_ends_first() {
    explore(|| {
        let job = Job::running();
        let senders = spawn_many(|_| {
            let job = job.clone();
            Box::new(move || job.send().wait(None))
        });
        let mut computation = Loop::of(&job);
        computation.ready();
        job.end();
        let answered = join(senders).into_iter().filter(|answer| match answer {
            Ok(_) => true,
            Err(error) => {
                assert_eq!(error.status, Status::Expired);
                false
            }
        });
        assert_eq!(answered.count(), computation.served);
    });
}

#[test]
fn a_run_that_begins_finds_what_was_sent_meanwhile() {
    explore(|| {
        let job = Job::running();
        job.end();
        let senders = spawn_many(|_| {
            let job = job.clone();
            Box::new(move || job.send())
        });
        job.inbox.open();
        job.attention().begin();
        let mut computation = Loop::of(&job);
        computation.ready();
        let awaiters = join(senders);
        computation.ready();
        let answered = awaiters.into_iter().map(|awaiter| awaiter.wait(None).is_ok());
        assert_eq!(answered.filter(|&well| well).count(), computation.served);
    });
}

#[test]
fn a_reply_is_what_became_of_the_request() {
    explore(|| {
        let (answerer, awaiter) = pair();
        let server = thread::spawn(move || {
            let serves = answerer.begin();
            if serves {
                answerer.answer(Ok(Message::default()));
            }
            serves
        });
        // The time is up, sooner or later than the server comes.
        let answer = awaiter.wait(Some(Instant::now()));
        let served = server.join().unwrap();
        match answer {
            Ok(_) => assert!(served),
            Err(error) => {
                assert_eq!(error.status, Status::Timeout);
                assert_eq!(served, error.text.contains("may still have its effect"), "{}", error.text);
            }
        }
    });
}

#[test]
fn who_waits_for_a_reply_gets_it() {
    explore(|| {
        let (pairs, awaiters): (Vec<_>, Vec<_>) = (0..2).map(|_| pair()).unzip();
        let server = thread::spawn(move || {
            for (index, answerer) in pairs.into_iter().enumerate() {
                match index {
                    0 => answerer.answer(Ok(Message::default())),
                    // Nobody answers: the server panicked, the job was freed.
                    _ => drop(answerer),
                }
            }
        });
        let [first, second] = <[Awaiter; 2]>::try_from(awaiters).ok().unwrap();
        assert!(first.wait(None).is_ok());
        assert_eq!(second.wait(None).unwrap_err().status, Status::Expired);
        server.join().unwrap();
    });
}

#[test]
fn a_request_is_served_or_withdrawn() {
    explore(|| {
        let claim = Claim::new();
        let answerer = Answerer::calling(claim.clone(), |_| {});
        let server = thread::spawn(move || {
            let serves = answerer.begin();
            // It was left to another ready point, and stays what it is.
            assert_eq!(answerer.begin(), serves);
            serves
        });
        let withdrawn = claim.withdraw();
        assert!(server.join().unwrap() != withdrawn);
    });
}

// ---- pause and abort -------------------------------------------------------------------------------

#[test]
fn a_resume_ends_a_pause() {
    explore(|| {
        let job = Job::running();
        assert!(job.signal(Signal::Pause));
        let other = job.clone();
        let user = thread::spawn(move || {
            other.users.store(1, Ordering::Relaxed);
            assert!(other.signal(Signal::Resume));
        });
        let mut computation = Loop::of(&job);
        assert_eq!(computation.ready(), Status::Ok);
        assert_eq!(computation.halts, 0);
        // What the user did to a halted computation is seen when it goes on.
        assert!(computation.seen.iter().all(|&seen| seen == 1));
        user.join().unwrap();
        assert_eq!(job.attention().control() & (LEVELS | HALTED), 0);
    });
}

#[test]
fn an_abort_ends_a_pause() {
    explore(|| {
        let job = Job::running();
        assert!(job.signal(Signal::Pause));
        let other = job.clone();
        let user = thread::spawn(move || {
            other.users.store(1, Ordering::Relaxed);
            assert!(other.signal(Signal::Abort));
        });
        let mut computation = Loop::of(&job);
        assert_eq!(computation.ready(), Status::Aborted);
        assert!(computation.seen.iter().all(|&seen| seen == 1));
        user.join().unwrap();
    });
}

#[test]
fn a_pause_does_not_hide_an_abort() {
    explore(|| {
        let job = Job::running();
        let users = [Signal::Pause, Signal::Abort].map(|signal| {
            let job = job.clone();
            thread::spawn(move || assert!(job.signal(signal)))
        });
        let mut computation = Loop::of(&job);
        computation.ready();
        computation.ready();
        join(users.into());
        assert_eq!(computation.ready(), Status::Aborted);
        // Sticky.
        assert_eq!(computation.ready(), Status::Aborted);
    });
}

#[test]
fn a_halted_computation_has_done_what_it_did() {
    explore(|| {
        let job = Job::running();
        assert!(job.signal(Signal::Pause));
        let other = job.clone();
        let watcher = thread::spawn(move || {
            if other.attention().control() & HALTED != 0 {
                assert_eq!(other.users.load(Ordering::Relaxed), 1);
            }
            assert!(other.signal(Signal::Resume));
        });
        job.users.store(1, Ordering::Relaxed);
        Loop::of(&job).ready();
        watcher.join().unwrap();
    });
}

#[test]
fn a_halted_computation_answers() {
    explore(|| {
        let job = Job::running();
        assert!(job.signal(Signal::Pause));
        let other = job.clone();
        let user = thread::spawn(move || {
            assert!(other.send().wait(None).is_ok());
            assert!(other.signal(Signal::Resume));
        });
        let mut computation = Loop::of(&job);
        assert_eq!(computation.ready(), Status::Ok);
        assert_eq!((computation.served, computation.halts), (1, 0));
        user.join().unwrap();
    });
}

#[test]
fn a_signal_that_expired_leaves_no_trace() {
    explore(|| {
        let job = Job::running();
        let other = job.clone();
        let user = thread::spawn(move || other.signal(Signal::Abort));
        let aborted = Loop::of(&job).ready() == Status::Aborted;
        job.end();
        let sent = user.join().unwrap();
        assert!(sent || !aborted);
        assert_eq!(job.attention().control() & LEVELS, 0);
        job.attention().begin();
        assert_eq!(Loop::of(&job).ready(), Status::Ok);
    });
}

// ---- events ----------------------------------------------------------------------------------------

fn tell(to_tell: ToTell) {
    to_tell.queues.iter().for_each(|client| client.tell());
}

fn next(client: &Client) -> (Kind, u64) {
    match client.next(None) {
        Next::Event(event) => (event.kind, event.sequence),
        _ => unreachable!(),
    }
}

fn watched_hub() -> (Arc<Hub>, Arc<Client>) {
    let hub = Arc::new(Hub::new());
    let Ok((client, _)) = hub.add(ALL_KINDS, Place::Queue, || Event::new(Kind::Join)) else { unreachable!() };
    (hub, client)
}

/// A subscriber of the endpoint: what comes after its join is what happened after it.
#[test]
fn who_joins_late_gets_all_that_follows() {
    explore(|| {
        let hub = Arc::new(Hub::new());
        let Ok((client, _)) = hub.add(0, Place::Queue, || Event::new(Kind::Join)) else { unreachable!() };
        tell(hub.emit(Kind::Start, || Event::new(Kind::Start)));
        let other = hub.clone();
        let computation =
            thread::spawn(move || tell(other.improve(1.0, b"state", true, || Event::new(Kind::Improved))));
        let (after, join) = hub.rejoin(&client, ALL_KINDS, || Event::new(Kind::Join));
        computation.join().unwrap();
        let join = join.unwrap();
        assert_eq!(join.sequence, after);
        // The best is in the join or comes after it, and not both.
        match client.pop() {
            Next::Event(event) => assert!(join.value.is_none() && event.sequence == after + 1),
            _ => assert_eq!(join.value, Some(1.0)),
        }
    });
}

#[test]
fn a_client_that_sleeps_gets_every_event_in_order() {
    explore(|| {
        let (hub, client) = watched_hub();
        let makers = spawn_many(|_| {
            let hub = hub.clone();
            Box::new(move || tell(hub.emit(Kind::Checkpoint, || Event::new(Kind::Checkpoint))))
        });
        for sequence in 1..=u64::from(MANY) {
            assert_eq!(next(&client), (Kind::Checkpoint, sequence));
        }
        join(makers);
    });
}

#[test]
fn a_descriptor_is_readable_while_events_wait() {
    explore(|| {
        let (hub, client) = watched_hub();
        assert_eq!(client.descriptor().ok(), Some(0));
        tell(hub.emit(Kind::Checkpoint, || Event::new(Kind::Checkpoint)));
        let maker = thread::spawn(move || tell(hub.emit(Kind::Checkpoint, || Event::new(Kind::Checkpoint))));
        assert!(matches!(client.pop(), Next::Event(_)));
        maker.join().unwrap();
        assert_eq!(client.descriptor().ok(), Some(1));
    });
}

#[test]
fn a_descriptor_that_comes_late_is_readable_too() {
    explore(|| {
        let (hub, client) = watched_hub();
        let other = client.clone();
        let maker = thread::spawn(move || tell(hub.emit(Kind::Checkpoint, || Event::new(Kind::Checkpoint))));
        let asker = thread::spawn(move || assert!(other.descriptor().is_ok()));
        let taken = matches!(client.pop(), Next::Event(_));
        join(vec![maker, asker]);
        assert_eq!(client.descriptor().ok(), Some(i32::from(!taken)));
    });
}

#[test]
fn who_asks_to_be_notified_is() {
    explore(|| {
        let (hub, client) = watched_hub();
        let maker = thread::spawn(move || tell(hub.emit(Kind::Checkpoint, || Event::new(Kind::Checkpoint))));
        let notified = Arc::new(AtomicBool::new(false));
        let flag = notified.clone();
        client.set_notify(Box::new(move || flag.store(true, Ordering::Relaxed)));
        maker.join().unwrap();
        assert!(notified.load(Ordering::Relaxed));
    });
}

#[test]
fn the_last_best_comes_before_the_end() {
    explore(|| {
        let (hub, client) = watched_hub();
        assert!(hub.improve(1.0, &[], false, || Event::new(Kind::Improved)).service);
        let flush = |hub: &Hub| hub.flush(|| Event::new(Kind::Improved)).map(tell).is_some();
        let other = hub.clone();
        let service = thread::spawn(move || flush(&other));
        let here = flush(&hub);
        tell(hub.emit(Kind::Complete, || Event::new(Kind::Complete)));
        assert_eq!((next(&client).0, next(&client).0), (Kind::Improved, Kind::Complete));
        assert!(here != service.join().unwrap());
    });
}

/// The inbox's lock is what orders the requests of one thread.
#[test]
fn the_requests_of_a_thread_keep_their_order() {
    explore(|| {
        let job = Job::running();
        let order = Arc::new(Mutex::new(Vec::new()));
        let senders = spawn_many(|thread| {
            let (job, order) = (job.clone(), order.clone());
            Box::new(move || {
                for index in 0..2 {
                    let order = order.clone();
                    let answerer = Answerer::calling(Claim::new(), move |_| order.lock().push((thread, index)));
                    let request = Request { ask: Ask::Get, message: Message::default(), answerer, undo: Vec::new() };
                    job.inbox.push(request, &job.attention());
                }
            })
        });
        Loop::of(&job).ready();
        join(senders);
        job.end();
        let order = order.lock();
        assert_eq!(order.len(), 2 * MANY as usize);
        for thread in 0..MANY {
            let own: Vec<_> = order.iter().filter(|entry| entry.0 == thread).map(|entry| entry.1).collect();
            assert_eq!(own, [0, 1]);
        }
    });
}

// ---- maps that stand still ---------------------------------------------------------------------------

/// A job with workers, and memory of the user's that is whole only between items.
struct Mapped {
    job: Arc<Job>,
    stance: Stance,
    memory: [AtomicU32; 2],
}

impl Mapped {
    fn new() -> Arc<Mapped> {
        let memory = [AtomicU32::new(0), AtomicU32::new(0)];
        Arc::new(Mapped { job: Job::running(), stance: Stance::new(), memory })
    }

    /// Whoever does this must be alone with the memory.
    fn write(&self) {
        let [first, second] = &self.memory;
        let before = first.load(Ordering::Relaxed);
        assert_eq!(second.load(Ordering::Relaxed), before);
        first.store(before + 1, Ordering::Relaxed);
        second.store(before + 1, Ordering::Relaxed);
    }

    fn is_asked_to_stand(&self, control: u32) -> bool {
        control & PAUSE != 0 || self.stance.is_held()
    }

    /// A worker, that does some items.
    fn work(&self, items: u32) {
        let attention = self.job.attention();
        self.stance.start_moving();
        for _ in 0..items {
            self.stance.stand(&attention, true, |control| self.is_asked_to_stand(control));
            self.write();
        }
        self.stance.stop_moving(&attention);
    }
}

/// What is served sees what the items wrote, the items see what was served, and never do both write.
#[test]
fn who_holds_is_alone_with_the_memory() {
    explore(|| {
        let map = Mapped::new();
        let other = map.clone();
        let worker = thread::spawn(move || other.work(2));
        for _ in 0..2 {
            let _held = map.stance.hold(map.job.attention());
            map.write();
        }
        worker.join().unwrap();
        assert_eq!(map.memory[0].load(Ordering::Relaxed), 4);
    });
}

/// Several workers: whoever stops last wakes the one who waits for all.
#[test]
fn who_holds_waits_for_all() {
    explore(|| {
        let map = Mapped::new();
        let workers = spawn_many(|_| {
            let map = map.clone();
            Box::new(move || {
                map.stance.start_moving();
                map.stance.stop_moving(&map.job.attention());
            })
        });
        drop(map.stance.hold(map.job.attention()));
        join(workers);
    });
}

impl Computation for &Mapped {
    fn serve(&mut self, _edges: u32, _room: &mut usize) {}

    fn verdict(&mut self, _control: u32) -> Status {
        Status::Ok
    }

    fn can_halt(&self) -> bool {
        true
    }

    fn others_stand_still(&self) -> bool {
        self.stance.is_still()
    }

    fn halted(&mut self) {
        self.write();
        assert!(self.job.signal(Signal::Resume));
    }

    fn goes_on(&mut self) {}
}

/// While a job says that it is paused, it has no item in hand.
#[test]
fn a_halted_map_has_no_item_in_hand() {
    explore(|| {
        let map = Mapped::new();
        let other = map.clone();
        let worker = thread::spawn(move || other.work(2));
        assert!(map.job.signal(Signal::Pause));
        point::pass(&map.job.attention(), &mut &*map);
        worker.join().unwrap();
        assert_eq!(map.memory[0].load(Ordering::Relaxed), 3);
    });
}

// ---- imaps: the desk and the turn --------------------------------------------------------------------

fn desk(bound: usize, ordered: bool) -> Arc<Desk<u64>> {
    let (word, control) = (Box::leak(Box::new(AtomicU64::new(0))), Box::leak(Box::new(Futex::new(0))));
    Arc::new(Desk::new(bound, ordered, Attention { word, control }))
}

fn fetch(desk: &Desk<u64>, first: u64) -> Box<Block<u64>> {
    assert!(matches!(desk.reserve(1, u64::MAX), Leave::Fetch(_, 1)));
    Box::new(Block { first, count: 1, ..Block::new(first) })
}

fn run(mut block: Box<Block<u64>>) -> Box<Block<u64>> {
    block.ran = 1;
    block
}

fn take(desk: &Desk<u64>, limit: u64) -> Option<Box<Block<u64>>> {
    loop {
        match desk.take(None, limit) {
            Found::Done(block) => return Some(block),
            Found::Broken(block) => return Some(run(block)),
            Found::Nothing => desk.sleep(limit, None, |_| false),
            Found::Over | Found::Closed => return None,
        }
    }
}

/// Two threads hand over, the taker sleeps in between: a lost wake-up is a deadlock, and loom says so.
#[test]
fn what_is_laid_down_is_taken() {
    for ordered in [false, true] {
        explore(move || {
            let desk = desk(2, ordered);
            let workers = [0, 1].map(|index| {
                let block = fetch(&desk, index);
                let desk = desk.clone();
                thread::spawn(move || desk.lay(run(block)))
            });
            let mut taken = [0, 1].map(|_| take(&desk, u64::MAX).unwrap().first);
            if !ordered {
                taken.sort();
            }
            assert_eq!(taken, [0, 1]);
            workers.into_iter().for_each(|worker| worker.join().unwrap());
        });
    }
}

/// A block that is broken off, and the end of the source, are news too.
#[test]
fn what_is_broken_off_is_continued_and_the_end_is_heard() {
    explore(|| {
        let desk = desk(2, true);
        let block = fetch(&desk, 0);
        let worker = {
            let desk = desk.clone();
            thread::spawn(move || {
                desk.lay(block);
                assert!(matches!(desk.reserve(1, 0), Leave::NotNow));
                desk.give_back(0, Source::Ended, None);
            })
        };
        let block = take(&desk, u64::MAX).unwrap();
        desk.lay(block);
        let block = take(&desk, u64::MAX).unwrap();
        match desk.take(Some(block), u64::MAX) {
            Found::Over => {}
            Found::Nothing => {
                desk.sleep(u64::MAX, None, |_| false);
                assert!(take(&desk, u64::MAX).is_none());
            }
            _ => panic!("there is nothing more"),
        }
        worker.join().unwrap();
    });
}

/// Who closes waits for those inside, and wakes the taker.
#[test]
fn a_close_waits_and_wakes() {
    explore(|| {
        let desk = desk(2, true);
        let inside = Arc::new(AtomicU64::new(0));
        let worker = {
            let (desk, inside) = (desk.clone(), inside.clone());
            thread::spawn(move || {
                if desk.enter() {
                    inside.store(1, Ordering::Relaxed);
                    inside.store(0, Ordering::Relaxed);
                    desk.leave();
                }
            })
        };
        let closer = {
            let (desk, inside) = (desk.clone(), inside.clone());
            thread::spawn(move || {
                desk.close();
                desk.wait_until_left(false);
                assert_eq!(inside.load(Ordering::Relaxed), 0);
            })
        };
        assert!(take(&desk, u64::MAX).is_none());
        worker.join().unwrap();
        closer.join().unwrap();
    });
}

/// The taker sleeps because another is at the source, who lays nothing down: it must be woken when that one leaves. And
/// each sees what the other did in its turn.
#[test]
fn nobody_starves_beside_a_free_turn() {
    explore(|| {
        let shared = Arc::new((desk(2, true), Turn::new(), AtomicU64::new(0)));
        let act = |counter: &AtomicU64| {
            let before = counter.load(Ordering::Relaxed);
            counter.store(before + 1, Ordering::Relaxed);
        };
        let other = {
            let shared = shared.clone();
            thread::spawn(move || shared.1.try_take(|| act(&shared.2), || shared.0.nudge()).is_some())
        };
        while shared.1.try_take(|| act(&shared.2), || ()).is_none() {
            assert!(matches!(shared.0.take(None, u64::MAX), Found::Nothing));
            shared.0.sleep(u64::MAX, None, |_| !shared.1.starve());
        }
        let other_had_its_turn = other.join().unwrap();
        assert_eq!(shared.2.load(Ordering::Relaxed), 1 + u64::from(other_had_its_turn));
    });
}
