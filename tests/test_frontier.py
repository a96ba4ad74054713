"""The frontier alone, in the test's own thread, with a clock of the test's own."""

import random
import threading
from collections.abc import Iterable

import pytest

from crawler.frontier import Frontier, Permit, Task
from crawler.pace import GIVEN_UP, MAX_SLOW, PARKED, Answer, Pace
from crawler.robots import Rules
from crawler.store import Queued

ALLOW = Permit(Rules.from_reply(404))
GOOD = Answer(0.1)


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def urls(host: str, count: int, depth: int = 1, first: int = 1) -> list[Queued]:
    return [Queued(first + n, f"http://{host}/{first + n}", depth, 0) for n in range(count)]


def frontier(
    found: Iterable[Queued], *, slots: int = 1, delay: float = 0.0, clock: Clock | None = None, **more: int
) -> Frontier:
    """A frontier that holds these URLs."""
    some = list(found)
    made = Frontier(lambda _: Pace(slots, delay), waiting=len(some), clock=clock or Clock(), **more)
    made.refill(some)
    return made


def take(made: Frontier) -> Task:
    """The next page task; robots.txt is answered with "all allowed" on the way."""
    while True:
        task = made.take()
        assert task is not None
        if not task.is_robots:
            return task
        made.give_back(task, GOOD, ALLOW._replace(rules=Rules.from_reply(404)))


def test_a_host_is_asked_for_robots_first_and_is_off_offer_until_it_answers() -> None:
    """The first task of a host is its robots.txt; no URL of it is handed out before."""
    made = frontier([*urls("a.test", 2), *urls("b.test", 1, first=10)], slots=5)
    first, second = made.take(), made.take()
    assert first is not None
    assert second is not None
    assert {first.url.url, second.url.url} == {"http://a.test/robots.txt", "http://b.test/robots.txt"}
    assert repr(made) == "<Frontier 3 waiting, 0 in flight, 0 stored>"
    made.give_back(first, GOOD, ALLOW)
    third = made.take()
    assert third is not None
    assert third.host == first.host
    assert repr(made) == "<Frontier 2 waiting, 1 in flight, 0 stored>"


def test_the_end_is_when_everything_that_was_taken_is_settled() -> None:
    """take() returns None once nothing waits and nothing is in flight, and not before."""
    made = frontier(urls("a.test", 2), slots=2)
    first, second = take(made), take(made)
    assert len(made) == 2
    made.give_back(first, GOOD)
    made.give_back(second, GOOD)
    made.settle([first.url.id], [], 0, 1)
    made.settle([second.url.id], urls("a.test", 1, first=7), 1, 1)
    third = take(made)
    assert third.url.id == 7
    made.give_back(third, GOOD)
    made.settle([7], [], 0, 1)
    assert len(made) == 0
    assert made.take() is None


def test_nearer_urls_come_first() -> None:
    """Of what waits, the smallest depth is handed out first, then the oldest."""
    made = frontier([*urls("a.test", 2, depth=3, first=1), *urls("a.test", 2, depth=1, first=5)], slots=9)
    assert [take(made).url.id for _ in range(4)] == [5, 6, 1, 2]


def test_a_host_rests_for_its_delay_after_it_is_given_back() -> None:
    """A host is on offer again when its delay has passed since the end of the last request."""
    clock = Clock()
    made = frontier(urls("a.test", 2), delay=10.0, clock=clock)
    robots = made.take()
    assert robots is not None
    clock.now += 3
    made.give_back(robots, GOOD, ALLOW)
    taken: list[Task | None] = []
    waiting = threading.Thread(target=lambda: taken.append(made.take()))
    waiting.start()
    waiting.join(0.05)
    assert taken == []  # still resting, by a clock that stands still
    clock.now += 10
    made.settle([], [], 0, 0)  # wakes whoever waits, to look at the clock again
    waiting.join()
    assert taken[0] is not None
    assert taken[0].url.id == 1


def test_another_host_is_served_while_one_rests() -> None:
    """A resting host holds up nobody else."""
    made = frontier([*urls("a.test", 3), *urls("b.test", 3, first=10)], delay=1000.0)
    robots = [made.take(), made.take()]
    assert {task.host for task in robots if task} == {"a.test", "b.test"}


def test_closing_wakes_everybody_who_waits() -> None:
    """Threads blocked in take() get None when the frontier is closed."""
    made = frontier(urls("a.test", 1))
    take(made)  # in flight: the others wait for what it may bring
    got: list[Task | None] = []
    threads = [threading.Thread(target=lambda: got.append(made.take())) for _ in range(3)]
    for thread in threads:
        thread.start()
    made.close()
    for thread in threads:
        thread.join()
    assert got == [None, None, None]


def test_memory_is_bounded_by_the_window_and_nothing_is_forgotten() -> None:
    """URLs beyond the window stay in the store, and are asked for when the window runs low."""
    stored = {url.id: url for url in urls("a.test", 500)}
    made = Frontier(lambda _: Pace(99, 0.0), waiting=500, window=50, host_share=20, clock=Clock())
    settled: list[int] = []
    while len(made):
        if (wanted := made.wants()) is not None:
            held, full, room, share = wanted
            assert len(held) <= 50
            some = [url for url in stored.values() if url.id not in held and "a.test" not in full]
            made.refill(some[: min(room, share)])
        task = take(made)
        made.give_back(task, GOOD)
        made.settle([task.url.id], [], 0, 1)
        del stored[task.url.id]
        settled.append(task.url.id)
    assert settled == list(range(1, 501))


def test_new_urls_do_not_overtake_those_that_wait_in_the_store() -> None:
    """While the store holds more, what a commit finds goes there, and comes back in its turn."""
    made = Frontier(lambda _: Pace(9, 0.0), waiting=3, window=2, host_share=2, clock=Clock())
    made.refill(urls("a.test", 2))
    task = take(made)
    made.give_back(task, GOOD)
    made.settle([task.url.id], urls("a.test", 1, first=50), 1, 1)
    assert repr(made) == "<Frontier 1 waiting, 0 in flight, 2 stored>"


def test_what_goes_before_need_not_wait_for_what_is_stored() -> None:
    """While URLs of a host wait in the store, one that is nearer than those in memory has its turn all the same."""
    made = frontier([*urls("a.test", 1), *urls("a.test", 1, depth=5, first=2)], host_share=2)
    made.settle([], urls("a.test", 5, depth=6, first=3), 5, 0)  # no room: they wait in the store
    made.settle([], [*urls("a.test", 1, depth=3, first=11), *urls("a.test", 1, depth=5, first=12)], 2, 0)
    taken = []
    for _ in range(3):
        task = take(made)
        taken.append(task.url.id)
        made.give_back(task)
    assert taken == [1, 11, 2]


def test_a_busy_host_does_not_fill_the_window_alone() -> None:
    """A host holds about its share, so that others find room."""
    made = Frontier(lambda _: Pace(1, 0.0), waiting=400, window=1000, host_share=20, clock=Clock())
    made.settle([], [], 0, 0)
    made.refill(urls("a.test", 30))
    wanted = made.wants()
    assert wanted is None or "a.test" in wanted[1]


def trouble(made: Frontier, task: Task, reason: str = "http-503", rest: float = 0.0) -> bool:
    """Gives a task back whose host was in trouble; whether it is tried again."""
    permit = Permit(Rules.from_reply(None, detail=reason, code=reason)) if task.is_robots else None
    return made.give_back(task, Answer(0.1, reason, rest), permit).again


def test_a_task_that_met_a_trouble_comes_back_with_its_attempts_counted() -> None:
    """A task that is to be tried again waits its time, is not in flight meanwhile, and counts its attempts."""
    clock = Clock()
    made = frontier(urls("a.test", 1), clock=clock)
    task = take(made)
    assert trouble(made, task)
    assert repr(made) == "<Frontier 1 waiting, 0 in flight, 0 stored>"
    clock.now += 5
    again = take(made)
    assert (again.url, again.attempts) == (task.url, 1)
    assert trouble(made, again)
    clock.now += 5
    assert not trouble(made, take(made))  # often enough
    assert repr(made) == "<Frontier 0 waiting, 1 in flight, 0 stored>"


def test_a_robots_task_that_met_a_trouble_keeps_its_host_off_offer() -> None:
    """No URL of a host is handed out while its robots.txt waits to be asked again."""
    clock = Clock()
    made = frontier(urls("a.test", 1), slots=4, clock=clock)
    robots = made.take()
    assert robots is not None
    assert trouble(made, robots)
    clock.now += 5
    again = made.take()
    assert again is not None
    assert again.is_robots
    assert again.attempts == 1


def test_pages_left_bounds_what_is_in_flight() -> None:
    """With two pages left, a third URL waits until one of two in flight turns out to be no page."""
    made = frontier(urls("a.test", 5), slots=5, max_pages=2)
    first, second = take(made), take(made)
    got: list[Task | None] = []
    waiting = threading.Thread(target=lambda: got.append(made.take()))
    waiting.start()
    made.give_back(first, GOOD)
    made.settle([first.url.id], [], 0, 0)  # no page: its place is free again
    waiting.join()
    assert got[0] is not None
    made.settle([second.url.id, got[0].url.id], [], 0, 2)
    assert made.take() is None


def test_a_store_that_gives_nothing_though_urls_wait_is_an_error_not_a_hang() -> None:
    """The counts of frontier and store must agree; when they do not, that is said."""
    made = Frontier(lambda _: Pace(1, 0.0), waiting=3, clock=Clock())
    with pytest.raises(RuntimeError, match="3 URLs wait"):
        made.refill([])


def test_many_threads_get_every_task_once() -> None:
    """Eight threads taking and settling see each URL exactly once, and all of them end."""
    made = frontier(urls("a.test", 400), slots=8)
    seen: list[int] = []
    lock = threading.Lock()

    def work() -> None:
        while (task := made.take()) is not None:
            if task.is_robots:
                made.give_back(task, GOOD, ALLOW)
                continue
            made.give_back(task, GOOD)
            with lock:
                seen.append(task.url.id)
            made.settle([task.url.id], [], 0, 1)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(seen) == list(range(1, 401))


class Running(Clock):
    """A clock that goes on with every look at it, as real ones do, and may be looked at so often only."""

    looks = 0
    chance = random.Random(1)

    def __call__(self) -> float:
        self.looks += 1
        assert self.looks < 50_000, "the frontier looks at the clock for ever"
        self.now += self.chance.uniform(0.0001, 0.003)
        return self.now


def test_a_clock_that_moves_within_a_decision_does_no_harm() -> None:
    """With several slots and a delay, a host that rests a moment longer than it seemed is put to rest, once."""
    made = frontier(urls("a.test", 100), slots=2, delay=0.004, clock=Running())
    robots = made.take()
    assert robots is not None
    made.give_back(robots, GOOD, ALLOW)
    for _ in range(100):
        task = made.take()  # leaves a slot free: the host rests in view of the next task
        assert task is not None
        made.give_back(task)  # and now has to rest a little longer than it was put to rest for
        made.settle([task.url.id], [], 0, 0)


@pytest.mark.parametrize("slots", [1, 2])
def test_a_host_that_was_not_asked_for_anything_does_not_rest(slots: int) -> None:
    """A URL that robots.txt refused costs no delay, whatever the slots."""
    clock = Clock()
    made = frontier(urls("a.test", 3), slots=slots, delay=10.0, clock=clock)
    robots = made.take()
    assert robots is not None
    made.give_back(robots, GOOD, ALLOW)
    clock.now += 10
    for number in (1, 2, 3):
        task = made.take()
        assert task is not None
        assert task.url.id == number
        made.give_back(task)


def rests(made: Frontier) -> float:
    """Seconds until the next host may be used, when all of them rest."""
    waits = made.waits_for()
    assert waits is not None
    return waits[1]


def test_a_trouble_lets_the_whole_host_rest() -> None:
    """While a host rests from a 503, none of its URLs is on offer, whatever its slots; those of other hosts are."""
    clock = Clock()
    made = frontier([*urls("a.test", 2), *urls("b.test", 4, first=20)], slots=2, clock=clock)
    for _ in range(2):
        made.give_back(take_robots(made), GOOD, ALLOW)
    task = take(made)
    assert task.host == "a.test"
    assert trouble(made, task, rest=100.0)
    for _ in range(4):
        task = take(made)
        assert task.host == "b.test"
        made.give_back(task, GOOD)
        made.settle([task.url.id], [], 0, 1)
    assert made.waits_for() == ("a.test", 100.0, "http-503")
    clock.now += 100
    assert take(made).host == "a.test"


def test_what_met_a_trouble_comes_behind_all_others() -> None:
    """Other URLs of the host are tried first: it may be that URL alone."""
    clock = Clock()
    made = frontier(urls("a.test", 3), clock=clock)
    first = take(made)
    assert trouble(made, first)
    order = []
    for _ in range(3):
        clock.now += 100
        task = take(made)
        order.append(task.url.id)
        made.give_back(task, GOOD)
        made.settle([task.url.id], [], 0, 1)
    assert order == [2, 3, 1]


def test_a_parked_host_is_tried_from_the_other_end() -> None:
    """Where a whole part of a site fails, a URL of another part tells that the host is there, and all goes on."""
    clock = Clock()
    made = frontier(urls("a.test", 100), clock=clock)
    fetched: list[int] = []
    for _ in range(600):
        clock.now += 1000
        task = made.take()
        if task is None:
            break
        if task.is_robots:
            made.give_back(task, GOOD, ALLOW)
        elif task.rules is not None and task.rules.reason:
            pytest.fail("the host was given up")
        elif 10 < task.url.id <= 60:
            if not trouble(made, task, "timeout"):
                made.settle([task.url.id], [], 0, 0)
        else:
            made.give_back(task, GOOD)
            made.settle([task.url.id], [], 0, 1)
            fetched.append(task.url.id)
        if len(fetched) == 50:
            break
    assert sorted(fetched) == [*range(1, 11), *range(61, 101)]


def test_a_url_goes_by_the_rules_of_its_own_origin() -> None:
    """Also when it is taken from the other end of a parked host: http and https have a robots.txt each."""
    clock = Clock()
    secure = [Queued(n, f"https://a.test/{n}", 0 if n == 50 else 2, 0) for n in range(50, 60)]
    made = frontier([*urls("a.test", 10), *secure], clock=clock)
    rules = {}
    for _ in range(2):
        robots = take_robots(made)
        rules[robots.url.url] = Rules.from_reply(404)
        made.give_back(robots, GOOD, Permit(rules[robots.url.url]))
        task = take(made)
        made.give_back(task, GOOD)
    for _ in range(PARKED):
        task = take(made)
        assert task.rules is rules["http://a.test/robots.txt"]
        trouble(made, task)
        clock.now += 100
    task = take(made)
    assert task.url.url.startswith("https://a.test/")
    assert task.rules is rules["https://a.test/robots.txt"]


def test_requests_to_a_host_begin_a_delay_apart_whatever_its_slots() -> None:
    """One that was not made, as its URL was refused, shortens no pause after one that was."""
    clock = Clock()
    made = frontier(urls("a.test", 9), slots=4, delay=10.0, clock=clock)
    made.give_back(take_robots(made), GOOD, ALLOW)
    tasks = []
    for _ in range(3):
        clock.now += 10
        tasks.append(take(made))
    clock.now += 5
    made.give_back(tasks[1])
    made.settle([task.url.id for task in tasks], [], 0, 0)
    assert rests(made) == 5.0


@pytest.mark.parametrize("slots", [1, 2])
def test_a_host_that_keeps_failing_is_given_up_without_more_requests(slots: int) -> None:
    """After so many troubles in a row, what waits of it is refused at once for the same passing reason: it ends."""
    clock = Clock()
    made = frontier(urls("a.test", 100), slots=slots, delay=1.0, clock=clock)
    made.give_back(take_robots(made), GOOD, ALLOW)
    clock.now += 1
    task = take(made)
    times = []
    for _ in range(GIVEN_UP):
        times.append(clock.now)
        if not trouble(made, task, "connect-error"):
            made.settle([task.url.id], [], 0, 0)
        if len(times) < GIVEN_UP:
            clock.now += rests(made)
        task = take(made)
    assert times[PARKED] - times[0] > 5
    assert times[-1] - times[0] > 60
    while True:
        assert task.rules is not None
        assert not task.rules.allows("crawler", task.url.url)
        assert task.rules.code == "connect-error"
        assert "given up" in task.rules.reason
        made.give_back(task)
        made.settle([task.url.id], [], 0, 0)
        if not len(made):
            break
        task = take(made)


def test_a_robots_txt_that_cannot_be_had_is_given_up_soon() -> None:
    """A host that never answered costs three tries, and then its URLs are refused."""
    clock = Clock()
    made = frontier(urls("a.test", 3), clock=clock)
    for attempt in range(3):
        robots = made.take()
        assert robots is not None
        assert (robots.is_robots, robots.attempts) == (True, attempt)
        assert trouble(made, robots, "connect-error") is (attempt < 2)
        clock.now += 10
    task = made.take()
    assert task is not None
    assert task.rules is not None
    assert task.rules.code == "connect-error"


def test_when_nobody_answers_any_more_new_hosts_are_not_given_up_soon() -> None:
    """While it may be our own network that is gone, a host that never answered is tried for half a minute."""
    clock = Clock()
    made = frontier([*urls("a.test", 3), *urls("b.test", 1, first=10)], clock=clock)
    tasks = {task.host: task for task in (made.take(), made.take()) if task}
    clock.now += 1
    made.give_back(tasks["a.test"], GOOD, ALLOW)
    began = clock.now
    robots = tasks["b.test"]._replace(began=clock.now + 1)
    while trouble(made, robots, "connect-error"):
        clock.now += 40
        task = made.take()
        assert task is not None
        while task.host == "a.test":  # fails as well, and is no answer
            trouble(made, task, "connect-error")
            task = made.take()
            assert task is not None
        robots = task
    assert robots.attempts == PARKED
    assert clock.now > began + 20


def test_an_older_copy_of_the_rules_serves_while_there_is_no_newer_one() -> None:
    """A host that has rules is not asked again for them at once; it rests, as after any trouble."""
    clock = Clock()
    made = frontier(urls("a.test", 3), clock=clock)
    robots = made.take()
    assert robots is not None
    assert not made.give_back(robots, Answer(0.1, "http-503"), ALLOW).again
    assert rests(made) >= 0.5
    clock.now += 2
    task = made.take()
    assert task is not None
    assert not task.is_robots


def test_rules_are_asked_for_again_when_they_are_a_day_old() -> None:
    """After a day robots.txt is the next task again, and what waits is judged by what it says then."""
    clock = Clock()
    made = frontier(urls("a.test", 3), clock=clock)
    robots = made.take()
    assert robots is not None
    made.give_back(robots, GOOD, ALLOW._replace(lasts=86_400.0))
    made.give_back(take(made), GOOD)
    clock.now += 86_399
    made.give_back(take(made), GOOD)
    clock.now += 2
    robots = made.take()
    assert robots is not None
    assert robots.is_robots
    made.give_back(robots, GOOD, Permit(Rules.from_reply(200, b"User-agent: *\nDisallow: /")))
    task = made.take()
    assert task is not None
    assert task.rules is not None
    assert not task.rules.allows("crawler", task.url.url)


def test_what_is_to_be_remembered_of_a_pace() -> None:
    """A trouble is news, with the rest that was asked for; so is the end of it, and nothing in between."""
    clock = Clock()
    made = frontier(urls("a.test", 30), clock=clock)
    news = []
    for answer in [GOOD, GOOD, Answer(0.1, "http-429", 9.0), *[GOOD] * 9]:
        task = take(made)
        news.append(made.give_back(task, answer).pace)
        made.settle([task.url.id], [], 0, 1)
        clock.now += 100
    told = [pace for pace in news if pace is not None]
    assert [(pace.origin, pace.rest) for pace in told] == [("http://a.test", 9.0), ("http://a.test", 0.0)]
    assert told[0].slow > told[1].slow == 0.0
    assert news[2] is told[0]


def test_a_host_begins_as_an_earlier_run_left_it() -> None:
    """It rests for what is left of a Retry-After, and is as slow as it had to be."""
    clock = Clock()
    made = Frontier(lambda _: Pace(1, 0.0, slow=MAX_SLOW, rest=600.0), waiting=2, clock=clock)
    made.refill(urls("a.test", 2))
    assert rests(made) == 600.0
    clock.now += 600
    task = made.take()
    assert task is not None
    made.give_back(task, GOOD, ALLOW)
    assert rests(made) == MAX_SLOW / 2


def test_a_long_stop_makes_no_burst() -> None:
    """However much time passes while nobody looks, a host is asked once, and then rests again."""
    clock = Clock()
    made = frontier(urls("a.test", 9), slots=3, delay=10.0, clock=clock)
    made.give_back(take_robots(made), GOOD, ALLOW)
    clock.now += 10
    task = take(made)
    clock.now += 3600  # stopped in the middle of a request
    made.give_back(task, GOOD)
    made.settle([task.url.id], [], 0, 1)
    for _ in range(3):
        assert rests(made) == 10.0
        clock.now += 3600
        task = take(made)
        made.give_back(task, GOOD)
        made.settle([task.url.id], [], 0, 1)


def take_robots(made: Frontier) -> Task:
    task = made.take()
    assert task is not None
    assert task.is_robots
    return task


def test_there_is_plenty_while_fetchers_can_do_without_what_is_under_way() -> None:
    """Neither what was taken counts, nor what may not be taken before that is settled."""
    made = frontier(urls("a.test", 4), slots=4)
    assert made.have_plenty(["a.test"], 4)
    assert not made.have_plenty(["a.test"], 5)
    task = take(made)
    assert made.have_plenty(["a.test"], 3)
    assert not made.have_plenty(["a.test"], 4)
    made.give_back(task, GOOD)
    assert not made.have_plenty(["a.test"], 4)  # it is not settled yet
    made.settle([task.url.id], [], 0, 1)
    assert made.have_plenty(["a.test"], 3)
    limited = frontier(urls("a.test", 4), slots=4, max_pages=2)
    take(limited)
    assert limited.have_plenty(["a.test"], 1)
    assert not limited.have_plenty(["a.test"], 2)


def test_one_host_has_not_plenty_for_another() -> None:
    """Each goes on by its own URLs: a chain of pages must not wait because another host has a thousand."""
    made = frontier([*urls("a.test", 4), *urls("b.test", 1, first=9)], slots=4)
    assert made.have_plenty(["a.test"], 2)
    assert not made.have_plenty(["a.test", "b.test"], 2)
    assert not made.have_plenty(["c.test"], 1)


def test_a_host_that_rests_has_not_plenty() -> None:
    """Between two requests, or after a trouble: nothing of it comes soon, however many URLs wait."""
    assert not frontier(urls("a.test", 4), delay=1.0).have_plenty(["a.test"], 1)
    made = frontier(urls("a.test", 4), slots=4)
    made.give_back(take(made), Answer(trouble="http-503"))
    assert not made.have_plenty(["a.test"], 1)
    resting = Frontier(lambda _: Pace(4, 0.0, rest=60.0), waiting=4, clock=Clock())  # as it asked the last time
    resting.refill(urls("a.test", 4))
    assert not resting.have_plenty(["a.test"], 1)
