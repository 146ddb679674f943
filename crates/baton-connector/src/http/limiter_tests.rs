use super::super::rate_headers::AnnouncedWait;
use super::*;

fn key(endpoint: &'static str) -> BucketKey {
    BucketKey {
        credential: "key".into(),
        endpoint,
    }
}

fn limiter(share: f64) -> Limiter {
    Limiter::new(RateSettings::new(share, None).expect("a share"))
}

fn announced(limit: Option<u64>, remaining: u64, reset_s: u64) -> RateHeaders {
    RateHeaders {
        limit,
        remaining: Some(remaining),
        reset: AnnouncedWait::In(Duration::from_secs(reset_s)),
        ..RateHeaders::default()
    }
}

fn learn(
    limiter: &Limiter,
    key: &BucketKey,
    number: u64,
    now: Instant,
    status: u16,
    headers: &RateHeaders,
) {
    let took = Duration::from_millis(40);
    let answer = Answered {
        number,
        now,
        status,
        took,
    };
    limiter.learn(key, answer, headers);
}

/// Sends one request and has it answered at once.
fn ask(
    limiter: &Limiter,
    key: &BucketKey,
    now: Instant,
    status: u16,
    headers: &RateHeaders,
) -> u64 {
    let Admission::Go(number) = limiter.admit(key, now) else {
        panic!("not admitted");
    };
    learn(limiter, key, number, now, status, headers);
    limiter.finished(key);
    number
}

/// How many start at this moment.
fn burst(limiter: &Limiter, key: &BucketKey, now: Instant) -> (u64, Admission) {
    let mut started = 0;
    loop {
        match limiter.admit(key, now) {
            Admission::Go(_) => started += 1,
            other => return (started, other),
        }
    }
}

#[test]
fn a_pause_holds_one_bucket_and_not_its_neighbour() {
    let (limiter, now) = (limiter(1.0), Instant::now());
    let until = now + Duration::from_secs(9);
    limiter.pause(&key("/a"), until, WaitReason::RateLimited);
    let sooner = now + Duration::from_secs(1);
    limiter.pause(&key("/a"), sooner, WaitReason::ServerBusy);
    assert_eq!(
        limiter.admit(&key("/a"), now),
        Admission::NotBefore(until, WaitReason::RateLimited)
    );
    assert_eq!(limiter.admit(&key("/b"), now), Admission::Go(1));
    assert_eq!(limiter.admit(&key("/a"), until), Admission::Go(1));
}

#[test]
fn the_first_request_of_an_endpoint_goes_alone() {
    let (limiter, now, key) = (limiter(1.0), Instant::now(), key("/a"));
    assert_eq!(limiter.admit(&key, now), Admission::Go(1));
    assert_eq!(limiter.admit(&key, now), Admission::AfterAnAnswer);
    limiter.finished(&key);
    assert_eq!(limiter.admit(&key, now), Admission::Go(2));
}

#[test]
fn half_of_the_share_is_free_and_the_rest_spread_till_the_reset() {
    let (limiter, start, key) = (limiter(0.8), Instant::now(), key("/a"));
    ask(&limiter, &key, start, 200, &announced(Some(100), 99, 60));
    let (free, then) = burst(&limiter, &key, start);
    assert_eq!(free, 40);
    assert!(matches!(then, Admission::NotBefore(_, WaitReason::Paced)));
    let mut sent = 1 + free;
    let mut now = start;
    let until = loop {
        match limiter.admit(&key, now) {
            Admission::Go(_) => sent += 1,
            Admission::NotBefore(at, WaitReason::Paced) => now = at,
            Admission::NotBefore(at, reason) => {
                assert_eq!(reason, WaitReason::QuotaSpent);
                break at;
            }
            Admission::AfterAnAnswer => panic!("the quota is known"),
        }
    };
    assert_eq!(sent, 80);
    assert_eq!(until, start + Duration::from_mins(1));
    assert!(now > start + Duration::from_secs(50), "spread");
}

#[test]
fn what_others_use_counts() {
    let (limiter, now, key) = (limiter(0.8), Instant::now(), key("/a"));
    for left in (60..66).rev() {
        ask(&limiter, &key, now, 200, &announced(Some(100), left, 60));
    }
    // One request of ours, and 38 of others.
    ask(&limiter, &key, now, 200, &announced(Some(100), 21, 60));
    let last = now + Duration::from_secs(58);
    assert!(matches!(limiter.admit(&key, last), Admission::Go(_)));
    assert!(matches!(
        limiter.admit(&key, last),
        Admission::NotBefore(_, WaitReason::QuotaSpent)
    ));
}

#[test]
fn others_who_take_the_whole_budget_leave_us_a_little() {
    let (limiter, now, key) = (limiter(0.8), Instant::now(), key("/a"));
    ask(&limiter, &key, now, 200, &announced(Some(100), 10, 60));
    let mut now = now;
    let mut started = 0;
    while let Admission::NotBefore(at, WaitReason::Paced) = {
        let (more, then) = burst(&limiter, &key, now);
        started += more;
        then
    } {
        now = at;
    }
    assert_eq!(started, 4, "a twentieth of the limit, with the first one");
}

#[test]
fn an_older_answer_does_not_refill_the_quota() {
    let (limiter, now, key) = (limiter(1.0), Instant::now(), key("/a"));
    ask(&limiter, &key, now, 200, &announced(None, 2, 30));
    let Admission::Go(second) = limiter.admit(&key, now) else {
        panic!("two are left");
    };
    learn(&limiter, &key, second, now, 200, &announced(None, 0, 30));
    learn(&limiter, &key, 1, now, 200, &announced(None, 5, 31));
    assert!(matches!(limiter.admit(&key, now), Admission::NotBefore(..)));
}

#[test]
fn resets_that_nobody_can_believe_stop_nothing() {
    for reset in [
        AnnouncedWait::Unreadable,
        AnnouncedWait::Past,
        AnnouncedWait::Absent,
        AnnouncedWait::In(Duration::from_hours(24 * 365)),
        AnnouncedWait::In(Duration::MAX),
    ] {
        let (limiter, now, key) = (limiter(0.8), Instant::now(), key("/a"));
        let announced = RateHeaders {
            reset,
            ..announced(Some(100), 0, 0)
        };
        ask(&limiter, &key, now, 200, &announced);
        assert!(
            matches!(limiter.admit(&key, now), Admission::Go(_)),
            "{reset:?}"
        );
        assert_eq!(limiter.announced(), [], "{reset:?}");
    }
}

#[test]
fn a_quota_by_the_hour_keeps_its_reserve_however_slowly_it_is_asked() {
    let (limiter, start, key) = (limiter(0.8), Instant::now(), key("/a"));
    let mut left = 1000;
    let mut now = start;
    // Until shortly before the reset, always as early as the limiter allows.
    while now < start + Duration::from_mins(59) {
        match limiter.admit(&key, now) {
            Admission::Go(number) => {
                left -= 1;
                let ahead = 3600 - (now - start).as_secs();
                learn(
                    &limiter,
                    &key,
                    number,
                    now,
                    200,
                    &announced(Some(1000), left, ahead),
                );
                limiter.finished(&key);
            }
            Admission::NotBefore(at, _) => now = at,
            Admission::AfterAnAnswer => panic!("all are answered"),
        }
    }
    // Four more may ask again, one each quarter of an hour.
    assert!((196..=210).contains(&left), "{left} left");
}

#[test]
fn a_late_answer_of_an_old_period_does_not_open_the_new_one() {
    let (limiter, start, key) = (limiter(1.0), Instant::now(), key("/a"));
    for _ in 0..40 {
        ask(&limiter, &key, start, 200, &announced(Some(100), 60, 60));
    }
    let Admission::Go(late) = limiter.admit(&key, start) else {
        panic!("much is left");
    };
    let now = start + Duration::from_secs(61);
    let past = RateHeaders {
        reset: AnnouncedWait::Past,
        ..announced(Some(100), 59, 0)
    };
    learn(&limiter, &key, late, now, 200, &past);
    limiter.finished(&key);
    let (started, then) = burst(&limiter, &key, now);
    assert_eq!((started, then), (1, Admission::AfterAnAnswer));
}

#[test]
fn a_server_that_ceases_to_announce_is_no_longer_asked_one_by_one() {
    let (limiter, start, key) = (limiter(1.0), Instant::now(), key("/a"));
    for _ in 0..40 {
        ask(&limiter, &key, start, 200, &announced(Some(100), 60, 60));
    }
    let now = start + Duration::from_secs(61);
    ask(&limiter, &key, now, 200, &RateHeaders::default());
    // Slow start: no more than twice of what was in use.
    assert_eq!(burst(&limiter, &key, now), (2, Admission::AfterAnAnswer));
}

#[test]
fn the_last_seconds_of_a_minute_are_not_taken_for_a_rate_per_second() {
    let (limiter, start, key) = (limiter(0.8), Instant::now(), key("/a"));
    ask(&limiter, &key, start, 200, &announced(Some(100), 99, 2));
    let limit = limiter.announced()[0].1;
    assert_eq!((limit.period_ms, limit.whole_period), (2_000, false));
    assert_eq!(burst(&limiter, &key, start).0, 40);
}

#[test]
fn a_far_reset_is_asked_about_again_after_a_quarter_of_an_hour() {
    let (limiter, now, key) = (limiter(0.8), Instant::now(), key("/a"));
    ask(&limiter, &key, now, 200, &announced(Some(1), 0, 3600));
    let at = now + Duration::from_mins(15);
    assert_eq!(
        limiter.admit(&key, now),
        Admission::NotBefore(at, WaitReason::QuotaSpent)
    );
    assert!(matches!(limiter.admit(&key, at), Admission::Go(_)));
}

#[test]
fn contradicting_announcements_are_cut_to_what_is_possible() {
    let now = Instant::now();
    for (limit, remaining, most) in [(0, 5, 5), (10, 1000, 9), (u64::MAX, u64::MAX, 50)] {
        let (limiter, key) = (limiter(1.0), key("/a"));
        ask(
            &limiter,
            &key,
            now,
            200,
            &announced(Some(limit), remaining, 60),
        );
        let mut started = 0;
        let mut at = now;
        while started < 50 && at < now + Duration::from_secs(59) {
            match limiter.admit(&key, at) {
                Admission::Go(_) => started += 1,
                Admission::NotBefore(until, _) => at = until,
                Admission::AfterAnAnswer => panic!("the quota is known"),
            }
        }
        assert!(
            started >= most.min(5) && started <= most + 1,
            "{limit}: {started}"
        );
    }
}

#[test]
fn a_limit_that_changes_counts_from_then_on() {
    let (limiter, now, key) = (limiter(1.0), Instant::now(), key("/a"));
    ask(&limiter, &key, now, 200, &announced(Some(1000), 900, 60));
    ask(&limiter, &key, now, 200, &announced(Some(10), 0, 60));
    assert!(matches!(limiter.admit(&key, now), Admission::NotBefore(..)));
    let limit = limiter.announced()[0].1;
    assert_eq!((limit.requests, limit.period_ms), (10, 60_000));
}

#[test]
fn a_rate_per_second_is_kept_evenly() {
    let (limiter, start, key) = (limiter(0.8), Instant::now(), key("/a"));
    let mut now = start;
    let (mut sent, mut early) = (0_u32, 0_u32);
    // A bucket of 100 that a hundred per second fill up.
    let (mut level_ms, mut filled_at) = (100_000, start);
    while now < start + Duration::from_secs(13) {
        match limiter.admit(&key, now) {
            Admission::Go(number) => {
                let passed = u64::try_from((now - filled_at).as_millis()).expect("a span");
                level_ms = (level_ms + passed * 100).min(100_000);
                filled_at += Duration::from_millis(passed);
                assert!(level_ms >= 1000, "would be refused");
                level_ms -= 1000;
                sent += 1;
                early += u32::from(now < start + Duration::from_secs(3));
                let left = level_ms / 1000;
                learn(
                    &limiter,
                    &key,
                    number,
                    now,
                    200,
                    &announced(Some(100), left, 1),
                );
                limiter.finished(&key);
            }
            Admission::NotBefore(at, _) => now = at,
            Admission::AfterAnAnswer => panic!("all are answered"),
        }
    }
    // It takes two seconds to know that the period is that short.
    assert!((790..=805).contains(&(sent - early)), "{}", sent - early);
    // The bucket was full at first: 80 above the reserve.
    assert!((220..=325).contains(&early), "{early}");
}

#[test]
fn the_cap_counts_over_all_endpoints() {
    let settings = RateSettings::new(1.0, std::num::NonZeroU32::new(10)).expect("a share");
    let (limiter, start) = (Limiter::new(settings), Instant::now());
    let mut now = start;
    let mut sent = 0_u32;
    while now < start + Duration::from_secs(10) {
        let key = key(if sent.is_multiple_of(2) { "/a" } else { "/b" });
        match limiter.admit(&key, now) {
            Admission::Go(number) => {
                sent += 1;
                learn(&limiter, &key, number, now, 200, &RateHeaders::default());
                limiter.finished(&key);
            }
            Admission::NotBefore(at, reason) => {
                assert_eq!(reason, WaitReason::Capped);
                now = at;
            }
            Admission::AfterAnAnswer => panic!("all are answered"),
        }
    }
    assert_eq!(sent, 100);
}

#[test]
fn without_announcements_refusals_cut_the_rate_and_answers_raise_it() {
    let (limiter, start, key) = (limiter(0.8), Instant::now(), key("/a"));
    let none = RateHeaders::default();
    let mut now = start;
    for _ in 0..100 {
        ask(&limiter, &key, now, 200, &none);
        now += Duration::from_millis(10);
    }
    ask(&limiter, &key, now, 429, &none);
    let (mut early, mut late) = (0, 0);
    let began = now;
    while now < began + Duration::from_secs(20) {
        match limiter.admit(&key, now) {
            Admission::Go(number) => {
                early += u32::from(now < began + Duration::from_secs(1));
                late += u32::from(now >= began + Duration::from_secs(19));
                learn(&limiter, &key, number, now, 200, &none);
                limiter.finished(&key);
            }
            Admission::NotBefore(at, _) => now = at,
            Admission::AfterAnAnswer => panic!("all are answered"),
        }
    }
    assert!((80..=95).contains(&early), "{early}");
    assert!(late > early, "{late} after {early}");
}

#[test]
fn shares_outside_of_their_range_are_refused() {
    for share in [0.0, -0.1, 1.01, f64::NAN, f64::INFINITY] {
        assert!(RateSettings::new(share, None).is_err(), "{share}");
    }
}
