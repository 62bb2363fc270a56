//! Admission: how many jobs run at the same time, which one is next, and which ones are not let in at all.
//!
//! Callers take turns, however many jobs each of them has waiting: round-robin fair queueing (Nagle, RFC 970). Where there is
//! no room to wait, the caller with the longest queue loses its newest job (McKenney, Stochastic Fairness Queueing, 1990).

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{oneshot, watch};
use tokio::time::Instant;

use crate::access::{Caller, Id};

/// One job counts a tenth in the mean time that jobs take.
const WEIGHT: u32 = 10;

/// The jobs that wait, and the places in which they run.
pub struct Queue {
    state: Mutex<State>,
    /// How many places somebody has.
    taken: watch::Sender<usize>,
    places: usize,
    /// How many jobs may wait or run.
    room: usize,
    patience: Duration,
}

/// There is no room, or the wait would be too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Busy {
    /// When it may be worth to try again.
    pub retry: Duration,
}

#[derive(Default)]
struct State {
    free: usize,
    /// Those who have jobs that wait, in the order of their turns.
    lines: VecDeque<Line>,
    /// How many places each caller has.
    running: HashMap<Id, usize>,
    /// Jobs that wait, or run and are not answered yet.
    admitted: usize,
    /// Mean time that a place is taken.
    mean: Duration,
    tickets: u64,
}

/// A caller's jobs that wait.
struct Line {
    caller: Caller,
    waiting: VecDeque<Ticket>,
}

struct Ticket {
    number: u64,
    place: oneshot::Sender<Place>,
}

/// A place in which a job runs. It is free again when this is dropped.
pub struct Place(Option<Taken>);

struct Taken {
    queue: Arc<Queue>,
    id: Id,
    since: Instant,
}

/// A job's room to wait or run. It is given back when this is dropped.
pub struct Admission(Arc<Queue>);

impl Queue {
    /// `places`: jobs that run at the same time. `waiting`: jobs that wait, each for `patience` at the most.
    pub fn new(places: usize, waiting: usize, patience: Duration) -> Arc<Self> {
        let state = State { free: places, ..State::default() };
        let taken = watch::Sender::new(0);
        Arc::new(Self { state: Mutex::new(state), taken, places, room: places + waiting, patience })
    }

    /// Waits for a place, unless the wait would be too long. Fails too when it has been.
    pub async fn enter(self: &Arc<Self>, caller: &Caller) -> Result<(Place, Admission), Busy> {
        let (ticket, mut place) = self.admit(caller)?;
        let admission = Admission(Arc::clone(self));
        if let Ok(place) = place.try_recv() {
            return Ok((place, admission));
        }
        let _leave = Leave { queue: self, id: &caller.id, ticket };
        match tokio::time::timeout(self.patience, place).await {
            Ok(Ok(place)) => Ok((place, admission)),
            // Another caller, who had less, has got its room.
            Ok(Err(_)) | Err(_) => Err(self.busy()),
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
        (self.places - state.free, state.waiting())
    }

    fn admit(self: &Arc<Self>, caller: &Caller) -> Result<(u64, oneshot::Receiver<Place>), Busy> {
        let (sender, receiver) = oneshot::channel();
        let mut state = self.lock();
        if self.wait(state.ahead_of(&caller.id), state.mean) > self.patience {
            return Err(self.busy_with(&state));
        }
        if state.admitted >= self.room && !state.push_out_for(&caller.id) {
            return Err(self.busy_with(&state));
        }
        state.admitted += 1;
        state.tickets += 1;
        let number = state.tickets;
        state.line_of(caller).waiting.push_back(Ticket { number, place: sender });
        self.give_places(&mut state);
        Ok((number, receiver))
    }

    /// Gives free places to those whose turn it is.
    fn give_places(self: &Arc<Self>, state: &mut State) {
        while state.free > 0 {
            let Some(at) = state.lines.iter().position(|line| state.may_run(&line.caller)) else { break };
            let Some(mut line) = state.lines.remove(at) else { break };
            let next = line.waiting.pop_front();
            let id = line.caller.id.clone();
            if !line.waiting.is_empty() {
                state.lines.push_back(line);
            }
            let Some(ticket) = next else { continue };
            let place = Place(Some(Taken { queue: Arc::clone(self), id: id.clone(), since: Instant::now() }));
            match ticket.place.send(place) {
                Ok(()) => {
                    state.free -= 1;
                    *state.running.entry(id).or_default() += 1;
                }
                // Nobody waits for it any more. It was never taken.
                Err(mut place) => drop(place.0.take()),
            }
        }
        self.taken.send_replace(self.places - state.free);
    }

    fn release(self: &Arc<Self>, taken: &Taken) {
        let mut state = self.lock();
        state.free += 1;
        if let Some(running) = state.running.get_mut(&taken.id) {
            *running -= 1;
            if *running == 0 {
                state.running.remove(&taken.id);
            }
        }
        state.mean = (state.mean * (WEIGHT - 1) + taken.since.elapsed()) / WEIGHT;
        self.give_places(&mut state);
    }

    /// How long those who are ahead are going to take, as far as jobs of late tell.
    fn wait(&self, ahead: usize, mean: Duration) -> Duration {
        let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        mean.saturating_mul(number(ahead)) / number(self.places)
    }

    fn busy(&self) -> Busy {
        self.busy_with(&self.lock())
    }

    fn busy_with(&self, state: &State) -> Busy {
        Busy { retry: self.wait(state.waiting() + 1, state.mean) }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn waiting(&self) -> usize {
        self.lines.iter().map(|line| line.waiting.len()).sum()
    }

    fn waiting_of(&self, id: &Id) -> usize {
        self.lines.iter().find(|line| line.caller.id == *id).map_or(0, |line| line.waiting.len())
    }

    /// How many jobs get a place before the next one of this caller. Those who have as many places as they may get none.
    fn ahead_of(&self, id: &Id) -> usize {
        let own = self.waiting_of(id);
        let others = self.lines.iter().filter(|line| line.caller.id != *id && self.may_run(&line.caller));
        own + others.map(|line| line.waiting.len().min(own + 1)).sum::<usize>()
    }

    fn may_run(&self, caller: &Caller) -> bool {
        let running = self.running.get(&caller.id).copied().unwrap_or(0);
        caller.concurrency.is_none_or(|limit| running < limit)
    }

    fn line_of(&mut self, caller: &Caller) -> &mut Line {
        let at = self.lines.iter().position(|line| line.caller.id == caller.id).unwrap_or_else(|| {
            self.lines.push_back(Line { caller: caller.clone(), waiting: VecDeque::new() });
            self.lines.len() - 1
        });
        &mut self.lines[at]
    }

    /// Makes room at the expense of the caller with the longest queue, if that is not this one.
    fn push_out_for(&mut self, id: &Id) -> bool {
        let own = self.waiting_of(id);
        let Some(longest) = self.lines.iter_mut().max_by_key(|line| line.waiting.len()) else { return false };
        // One more than it would have: else two callers would push each other out again and again.
        if longest.waiting.len() <= own + 1 {
            return false;
        }
        // Its admission goes with it.
        longest.waiting.pop_back().is_some()
    }

    fn leave(&mut self, id: &Id, ticket: u64) {
        if let Some(line) = self.lines.iter_mut().find(|line| line.caller.id == *id) {
            line.waiting.retain(|waiting| waiting.number != ticket);
        }
        self.lines.retain(|line| !line.waiting.is_empty());
    }
}

impl Drop for Place {
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

/// Takes a job out of its line when it does not wait any more.
struct Leave<'a> {
    queue: &'a Queue,
    id: &'a Id,
    ticket: u64,
}

impl Drop for Leave<'_> {
    fn drop(&mut self) {
        self.queue.lock().leave(self.id, self.ticket);
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
        let queue = Queue::new(1, 8, Duration::from_mins(1));
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
        let queue = Queue::new(1, 3, Duration::from_mins(1));
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
        let queue = Queue::new(3, 8, Duration::from_millis(50));
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
        let queue = Queue::new(1, 100, Duration::from_secs(10));
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
        let queue = Queue::new(2, 8, Duration::from_secs(10));
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
        let queue = Queue::new(1, 8, Duration::from_mins(1));
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
}
