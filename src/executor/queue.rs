//! Admission: how many jobs run at the same time, which one is next, and which ones are not let in at all.
//!
//! Callers take turns, however many jobs each of them has waiting: round-robin fair queueing (Nagle, RFC 970). Where there is
//! no room to wait, the caller with the longest queue loses its newest job (McKenney, Stochastic Fairness Queueing, 1990).
//!
//! Turns are not enough: a place is held for as long as a job runs. While one caller holds all places, a spare one is given to
//! a caller that has none. So a single caller may use all places, and a second one still begins at once.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{oneshot, watch};
use tokio::time::Instant;

use crate::access::{Caller, Id};

/// Share of one sample in a mean: a tenth.
const WEIGHT: u32 = 10;

/// The jobs that wait, and the places in which they run.
pub struct Queue {
    state: Mutex<State>,
    /// Number of places that are taken, the spare one included.
    taken: watch::Sender<usize>,
    places: usize,
    /// Places for callers that have none, while one other caller holds all of `places`.
    spare: usize,
    /// How many jobs may wait or run.
    capacity: usize,
    max_wait: Duration,
}

/// Too many jobs wait or run, or the wait would be too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Busy {
    /// When it may be worth to try again.
    pub retry: Duration,
}

#[derive(Default)]
struct State {
    taken: usize,
    /// Those who have jobs that wait, in the order of their turns.
    queues: VecDeque<CallerQueue>,
    /// How many places each caller has.
    running: HashMap<Id, usize>,
    /// Jobs that wait, or run and are not answered yet.
    admitted: usize,
    /// Mean time that jobs of a caller hold a place, for each caller that has jobs here.
    means: HashMap<Id, Duration>,
    /// The same for any other caller: the mean of those that have left. Each counts once, however many jobs it had.
    mean: Duration,
    waiters: u64,
}

/// A caller's jobs that wait.
struct CallerQueue {
    caller: Caller,
    waiting: VecDeque<Waiter>,
}

struct Waiter {
    number: u64,
    place: oneshot::Sender<RunPermit>,
}

/// A place in which a job runs. It is free again when this is dropped.
pub struct RunPermit(Option<Taken>);

struct Taken {
    queue: Arc<Queue>,
    id: Id,
    since: Instant,
    /// Set if the time that it is held tells how long jobs take.
    counts: bool,
}

/// A job's room to wait or run. It is given back when this is dropped.
pub struct Admission(Arc<Queue>);

impl Queue {
    /// `places`: jobs that run at the same time; `spare`: 1 if one more may run while a single caller holds all of them, else 0.
    /// `waiting`: jobs that wait, each for `max_wait` at the most.
    pub fn new(places: usize, spare: usize, waiting: usize, max_wait: Duration) -> Arc<Self> {
        let (state, taken) = (Mutex::default(), watch::Sender::new(0));
        Arc::new(Self { state, taken, places, spare, capacity: places + waiting, max_wait })
    }

    /// Waits for a place, unless the wait would be too long. Fails too when it has been.
    pub async fn enter(self: &Arc<Self>, caller: &Caller) -> Result<(RunPermit, Admission), Busy> {
        let (waiter, mut place) = self.admit(caller)?;
        let admission = Admission(Arc::clone(self));
        if let Ok(place) = place.try_recv() {
            return Ok((place, admission));
        }
        let _leave = Leave { queue: self, id: &caller.id, waiter };
        match tokio::time::timeout(self.max_wait, place).await {
            Ok(Ok(place)) => Ok((place, admission)),
            // Another caller, who had less, has got its room.
            Ok(Err(_)) | Err(_) => Err(self.busy(&self.lock(), &caller.id)),
        }
    }

    /// Waits until no place is taken.
    pub async fn idle(&self) {
        // The sender lives as long as this does.
        let _ = self.taken.subscribe().wait_for(|taken| *taken == 0).await;
    }

    /// How many jobs run and how many wait.
    pub fn length(&self) -> (usize, usize) {
        let state = self.lock();
        (state.taken, state.waiting())
    }

    fn admit(self: &Arc<Self>, caller: &Caller) -> Result<(u64, oneshot::Receiver<RunPermit>), Busy> {
        let (sender, receiver) = oneshot::channel();
        let mut state = self.lock();
        // A job that begins at once needs no room to wait, and an estimate could only be wrong about it.
        if !self.may_begin(&state, caller) {
            let is_in_vain = self.wait(&state, &caller.id) > self.max_wait;
            if is_in_vain || state.admitted >= self.capacity && !state.evict_for(&caller.id) {
                return Err(self.busy(&state, &caller.id));
            }
        }
        state.admitted += 1;
        state.waiters += 1;
        let number = state.waiters;
        state.queue_of(caller).waiting.push_back(Waiter { number, place: sender });
        self.grant_permits(&mut state);
        Ok((number, receiver))
    }

    /// Tells whether there is a place for the caller's next job.
    fn may_begin(&self, state: &State, caller: &Caller) -> bool {
        let is_spare_for = |id| state.running.len() == 1 && !state.running.contains_key(id);
        let is_free = state.taken < self.places || state.taken < self.places + self.spare && is_spare_for(&caller.id);
        is_free && state.may_run(caller)
    }

    /// Gives free places to those whose turn it is.
    fn grant_permits(self: &Arc<Self>, state: &mut State) {
        while let Some(at) = state.queues.iter().position(|queue| self.may_begin(state, &queue.caller)) {
            let Some(mut queue) = state.queues.remove(at) else { break };
            let next = queue.waiting.pop_front();
            let id = queue.caller.id.clone();
            if !queue.waiting.is_empty() {
                state.queues.push_back(queue);
            }
            let Some(waiter) = next else { continue };
            let place =
                RunPermit(Some(Taken { queue: Arc::clone(self), id: id.clone(), since: Instant::now(), counts: true }));
            match waiter.place.send(place) {
                Ok(()) => {
                    state.taken += 1;
                    *state.running.entry(id).or_default() += 1;
                }
                // Nobody waits for it any more. It was never taken.
                Err(mut place) => drop(place.0.take()),
            }
        }
        self.taken.send_replace(state.taken);
    }

    fn release(self: &Arc<Self>, Taken { id, since, counts, .. }: &Taken) {
        let mut state = self.lock();
        state.taken -= 1;
        if let Some(running) = state.running.get_mut(id) {
            *running -= 1;
            if *running == 0 {
                state.running.remove(id);
            }
        }
        if *counts {
            let took = since.elapsed();
            state.means.entry(id.clone()).and_modify(|mean| *mean = with_sample(*mean, took)).or_insert(took);
        }
        self.grant_permits(&mut state);
        state.forget_if_gone(id);
    }

    /// Estimates how long the next job of this caller waits: the time that those ahead of it take, by their callers' means.
    fn wait(&self, state: &State, id: &Id) -> Duration {
        let own = state.waiting_of(id);
        // Whoever holds all places gets none of the spare one, for which others wait.
        let holds_all = |other: &Id| self.spare > 0 && state.running_of(other) >= self.places;
        let others = state.queues.iter().filter(|queue| {
            let other = &queue.caller;
            other.id != *id && state.may_run(other) && !holds_all(&other.id)
        });
        let ahead = others.map(|queue| (queue.waiting.len().min(own + 1), &queue.caller.id)).chain([(own, id)]);
        let time = ahead.fold(Duration::ZERO, |time, (jobs, id)| {
            time.saturating_add(state.mean_of(id).saturating_mul(number(jobs)))
        });
        time / number(self.places)
    }

    /// Refuses a job: there may be a place for it after the estimated wait and the time of one such job.
    fn busy(&self, state: &State, id: &Id) -> Busy {
        Busy { retry: self.wait(state, id).saturating_add(state.mean_of(id) / number(self.places)) }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn waiting(&self) -> usize {
        self.queues.iter().map(|queue| queue.waiting.len()).sum()
    }

    fn waiting_of(&self, id: &Id) -> usize {
        self.queues.iter().find(|queue| queue.caller.id == *id).map_or(0, |queue| queue.waiting.len())
    }

    fn running_of(&self, id: &Id) -> usize {
        self.running.get(id).copied().unwrap_or(0)
    }

    fn mean_of(&self, id: &Id) -> Duration {
        self.means.get(id).copied().unwrap_or(self.mean)
    }

    /// Tells whether the caller has fewer places than it may have.
    fn may_run(&self, caller: &Caller) -> bool {
        caller.concurrency.is_none_or(|limit| self.running_of(&caller.id) < limit)
    }

    fn queue_of(&mut self, caller: &Caller) -> &mut CallerQueue {
        let at = self.queues.iter().position(|queue| queue.caller.id == caller.id).unwrap_or_else(|| {
            self.queues.push_back(CallerQueue { caller: caller.clone(), waiting: VecDeque::new() });
            self.queues.len() - 1
        });
        &mut self.queues[at]
    }

    /// Evicts the newest job of the caller with the longest queue, unless that is this caller.
    fn evict_for(&mut self, id: &Id) -> bool {
        let own = self.waiting_of(id);
        let Some(longest) = self.queues.iter_mut().max_by_key(|queue| queue.waiting.len()) else { return false };
        // One more than it would have: else two callers would push each other out again and again.
        if longest.waiting.len() <= own + 1 {
            return false;
        }
        // Its admission goes with it.
        longest.waiting.pop_back().is_some()
    }

    fn leave(&mut self, id: &Id, waiter: u64) {
        if let Some(queue) = self.queues.iter_mut().find(|queue| queue.caller.id == *id) {
            queue.waiting.retain(|waiting| waiting.number != waiter);
        }
        self.queues.retain(|queue| !queue.waiting.is_empty());
        self.forget_if_gone(id);
    }

    /// Keeps of a caller that has no job here any more only its share in the mean of all.
    fn forget_if_gone(&mut self, id: &Id) {
        if self.running_of(id) == 0
            && self.waiting_of(id) == 0
            && let Some(mean) = self.means.remove(id)
        {
            self.mean = with_sample(self.mean, mean);
        }
    }
}

/// Exponentially weighted moving average.
fn with_sample(mean: Duration, sample: Duration) -> Duration {
    (mean * (WEIGHT - 1) + sample) / WEIGHT
}

fn number(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

impl RunPermit {
    /// Decides whether the time that it is held tells how long jobs take.
    pub fn count(&mut self, counts: bool) {
        if let Some(taken) = &mut self.0 {
            taken.counts = counts;
        }
    }
}

impl Drop for RunPermit {
    fn drop(&mut self) {
        if let Some(taken) = self.0.take() {
            taken.queue.release(&taken);
        }
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        self.0.lock().admitted -= 1;
    }
}

/// Takes a job out of its queue when it does not wait any more.
struct Leave<'a> {
    queue: &'a Queue,
    id: &'a Id,
    waiter: u64,
}

impl Drop for Leave<'_> {
    fn drop(&mut self) {
        self.queue.lock().leave(self.id, self.waiter);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caller(name: &str) -> Caller {
        Caller::new(Id::Key(name.into()))
    }

    async fn waits(queue: &Queue, number: usize) {
        while queue.length().1 != number {
            tokio::task::yield_now().await;
        }
    }

    /// Has a caller wait for a place; says who got it.
    fn line_up(queue: &Arc<Queue>, caller: Caller, order: &Arc<Mutex<Vec<String>>>) -> tokio::task::JoinHandle<bool> {
        let (queue, order) = (Arc::clone(queue), Arc::clone(order));
        tokio::spawn(async move {
            let Ok((_place, _admission)) = queue.enter(&caller).await else { return false };
            order.lock().unwrap().push(caller.key().unwrap().to_owned());
            true
        })
    }

    #[tokio::test]
    async fn callers_take_turns_however_many_jobs_they_have() {
        let queue = Queue::new(1, 0, 8, Duration::from_mins(1));
        let order = Arc::default();
        let first = queue.enter(&caller("first")).await.unwrap();
        let mut jobs = Vec::new();
        for (number, name) in ["hog", "hog", "hog", "hog", "small", "other"].into_iter().enumerate() {
            jobs.push(line_up(&queue, caller(name), &order));
            waits(&queue, number + 1).await;
        }
        assert_eq!(queue.length(), (1, 6));
        drop(first);
        for job in jobs {
            assert!(job.await.unwrap());
        }
        assert_eq!(*order.lock().unwrap(), ["hog", "small", "other", "hog", "hog", "hog"]);
        queue.idle().await;
        assert_eq!(queue.length(), (0, 0));
        assert_eq!(queue.lock().admitted, 0);
        assert!(queue.lock().running.is_empty());
    }

    #[tokio::test]
    async fn whoever_has_most_makes_room_for_others_when_there_is_none() {
        let queue = Queue::new(1, 0, 3, Duration::from_mins(1));
        let order = Arc::default();
        let first = queue.enter(&caller("first")).await.unwrap();
        let mut hogs = Vec::new();
        for number in 1..=3 {
            hogs.push(line_up(&queue, caller("hog"), &order));
            waits(&queue, number).await;
        }
        assert!(queue.enter(&caller("hog")).await.is_err());
        let small = line_up(&queue, caller("small"), &order);
        assert!(!hogs.pop().unwrap().await.unwrap(), "the newest job of the longest queue gives way");
        waits(&queue, 3).await;
        let third = line_up(&queue, caller("third"), &order);
        assert!(!hogs.pop().unwrap().await.unwrap());
        waits(&queue, 3).await;
        // Now each has one: pushing out one more would only turn things round.
        assert!(queue.enter(&caller("fourth")).await.is_err());
        drop(first);
        for job in hogs.into_iter().chain([small, third]) {
            assert!(job.await.unwrap());
        }
    }

    #[tokio::test]
    async fn a_caller_has_no_more_places_than_it_may() {
        let queue = Queue::new(3, 0, 8, Duration::from_millis(50));
        let two = Caller { concurrency: Some(2), ..caller("two") };
        let _one = queue.enter(&two).await.unwrap();
        let other = queue.enter(&two).await.unwrap();
        assert!(queue.enter(&two).await.is_err());
        let _free = queue.enter(&caller("other")).await.unwrap();
        drop(other);
        queue.enter(&two).await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_who_would_wait_in_vain() {
        let queue = Queue::new(1, 0, 100, Duration::from_secs(10));
        for _ in 0..50 {
            let place = queue.enter(&caller("slow")).await.unwrap();
            tokio::time::advance(Duration::from_secs(4)).await;
            drop(place);
        }
        let _place = queue.enter(&caller("slow")).await.unwrap();
        let order = Arc::default();
        let waiting: Vec<_> = (0..2).map(|_| line_up(&queue, caller("slow"), &order)).collect();
        waits(&queue, 2).await;
        let third = line_up(&queue, caller("slow"), &order);
        waits(&queue, 3).await;
        let began = Instant::now();
        let busy = queue.enter(&caller("slow")).await.err().unwrap();
        assert_eq!(began.elapsed(), Duration::ZERO);
        assert!(busy.retry > Duration::from_secs(10), "{busy:?}");
        // Somebody else has nobody before it but one job of the other.
        let other = line_up(&queue, caller("other"), &order);
        waits(&queue, 4).await;
        for job in waiting.into_iter().chain([third, other]) {
            assert!(!job.await.unwrap());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_waits_for_a_place_of_its_own_is_in_nobodys_way() {
        let queue = Queue::new(2, 0, 8, Duration::from_secs(10));
        for _ in 0..50 {
            let place = queue.enter(&caller("slow")).await.unwrap();
            tokio::time::advance(Duration::from_secs(30)).await;
            drop(place);
        }
        let one = Caller { concurrency: Some(1), ..caller("one") };
        let _place = queue.enter(&one).await.unwrap();
        let waiting = line_up(&queue, one, &Arc::default());
        waits(&queue, 1).await;
        assert!(queue.enter(&caller("other")).await.is_ok(), "a place is free");
        assert!(!waiting.await.unwrap());
    }

    #[tokio::test]
    async fn whoever_goes_away_takes_nothing_along() {
        let queue = Queue::new(1, 0, 8, Duration::from_mins(1));
        let order = Arc::default();
        let first = queue.enter(&caller("first")).await.unwrap();
        let gone = line_up(&queue, caller("gone"), &order);
        waits(&queue, 1).await;
        gone.abort();
        assert!(gone.await.is_err());
        assert_eq!((queue.length(), queue.lock().admitted), ((1, 0), 1));
        drop(first);
        queue.enter(&caller("next")).await.unwrap();
    }

    /// Has a caller take so many places, each at once.
    async fn take(queue: &Arc<Queue>, name: &str, number: usize) -> Vec<(RunPermit, Admission)> {
        let begun = Instant::now();
        let mut taken = Vec::new();
        for _ in 0..number {
            taken.push(queue.enter(&caller(name)).await.unwrap());
        }
        assert_eq!(begun.elapsed(), Duration::ZERO, "{name} had to wait");
        taken
    }

    #[tokio::test(start_paused = true)]
    async fn a_caller_that_holds_all_places_does_not_shut_others_out() {
        let queue = Queue::new(2, 1, 512, Duration::from_secs(10));
        let hog = take(&queue, "hog", 2).await;
        let waiting = line_up(&queue, caller("hog"), &Arc::default());
        waits(&queue, 1).await;
        for number in 0..12 {
            let other = take(&queue, &format!("other {number}"), 1).await;
            assert_eq!(queue.length(), (3, 1));
            tokio::time::advance(Duration::from_millis(500)).await;
            drop(other);
            assert_eq!(queue.length(), (2, 1), "the spare place is not for the hog");
        }
        drop(hog);
        assert!(waiting.await.unwrap());
        queue.idle().await;
        let state = queue.lock();
        assert!(state.running.is_empty() && state.means.is_empty() && state.admitted == 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_lone_caller_has_all_places_and_not_the_spare_one() {
        for places in 1..4 {
            let queue = Queue::new(places, 1, 0, Duration::from_mins(1));
            let _lone = take(&queue, "lone", places).await;
            assert!(queue.enter(&caller("lone")).await.is_err());
            let _other = take(&queue, "other", 1).await;
            assert_eq!(queue.length(), (places + 1, 0));
            assert!(queue.enter(&caller("other")).await.is_err() && queue.enter(&caller("third")).await.is_err());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn where_there_is_no_spare_place_others_wait() {
        let queue = Queue::new(1, 0, 1, Duration::from_millis(50));
        let _hog = take(&queue, "hog", 1).await;
        assert!(queue.enter(&caller("other")).await.is_err());
        assert_eq!(queue.length(), (1, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn two_callers_that_share_the_places_leave_no_spare_one() {
        let queue = Queue::new(2, 1, 8, Duration::from_millis(50));
        let (one, _two) = (take(&queue, "one", 1).await, take(&queue, "two", 1).await);
        assert!(queue.enter(&caller("third")).await.is_err());
        drop(one);
        take(&queue, "third", 1).await;
    }

    #[tokio::test(start_paused = true)]
    async fn after_the_spare_place_was_needed_no_more_jobs_run_than_before() {
        let queue = Queue::new(2, 1, 8, Duration::from_mins(1));
        let order = Arc::default();
        let mut hog = take(&queue, "hog", 2).await;
        let second = take(&queue, "second", 1).await;
        let mut jobs = Vec::new();
        for (number, name) in ["hog", "second", "third"].into_iter().enumerate() {
            jobs.push(line_up(&queue, caller(name), &order));
            waits(&queue, number + 1).await;
        }
        hog.pop();
        assert_eq!(queue.length(), (2, 3), "a place that is given back is the spare one");
        // Each job ends as soon as it has begun.
        drop(second);
        for job in jobs {
            assert!(job.await.unwrap());
        }
        assert_eq!(*order.lock().unwrap(), ["hog", "second", "third"]);
        assert_eq!(queue.length(), (1, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn one_callers_long_jobs_are_not_expected_of_others() {
        let queue = Queue::new(2, 1, 100, Duration::from_secs(10));
        let order = Arc::default();
        let mut hog = take(&queue, "hog", 2).await;
        for _ in 0..50 {
            tokio::time::advance(Duration::from_secs(15)).await;
            hog.remove(0);
            hog.extend(take(&queue, "hog", 1).await);
        }
        let mut jobs = vec![line_up(&queue, caller("hog"), &order)];
        waits(&queue, 1).await;
        let begun = Instant::now();
        assert!(queue.enter(&caller("hog")).await.is_err(), "its next jobs would wait for 15 s");
        assert_eq!(begun.elapsed(), Duration::ZERO);
        let second = take(&queue, "second", 1).await;
        for number in 0..50 {
            jobs.push(line_up(&queue, caller(&format!("other {number}")), &order));
            waits(&queue, number + 2).await;
        }
        drop(second);
        drop(hog);
        for job in jobs {
            assert!(job.await.unwrap());
        }
        assert_eq!((queue.length(), queue.lock().means.len()), ((0, 0), 0));
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_can_begin_at_once_is_not_refused_by_an_estimate() {
        let queue = Queue::new(1, 1, 100, Duration::from_secs(10));
        for _ in 0..50 {
            let place = take(&queue, "slow", 1).await;
            tokio::time::advance(Duration::from_secs(30)).await;
            drop(place);
        }
        let slow = take(&queue, "slow", 1).await;
        let waiting = line_up(&queue, caller("slow"), &Arc::default());
        waits(&queue, 1).await;
        assert!(queue.enter(&caller("slow")).await.is_err());
        take(&queue, "other", 1).await;
        drop(slow);
        assert!(waiting.await.unwrap());
        take(&queue, "slow", 1).await;
    }
}
