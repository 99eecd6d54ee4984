package main

import "time"

// scale is how long and how hard a run of the chaos tests is.
type scale struct {
	atMost  time.Duration // the whole
	atOnce  int           // faults under way together
	rate    float64       // requests a second
	blows   int           // kills, freezes or power cuts in a row
	between time.Duration // two blows, at most
	away    time.Duration // how long ClickHouse is
	frozen  time.Duration // how long ClickHouse is, each time

	arrivals   float64       // requests a second while an endpoint fails
	down       time.Duration // how long an endpoint fails
	retryAfter time.Duration // asked for by an endpoint that answers 429
	moved      time.Duration // how long clocks are wrong
	refusing   time.Duration // how long the endpoint refuses events before a jump of the clocks, and after it
	frozenLong time.Duration // how long ClickHouse is, in an insert
	replayed   uint64        // events of the replay whose process is killed
	replayRate float64       // its rate, so that it outlives the kills
	kills      int           // of that process
}

var (
	full = scale{atMost: 12 * time.Minute, atOnce: 2, rate: 3000, blows: 6, between: 1500 * time.Millisecond,
		away: 30 * time.Second, frozen: 4 * time.Second,
		arrivals: 400, down: time.Minute, retryAfter: 5 * time.Second, moved: 15 * time.Second, refusing: 2 * time.Second,
		frozenLong: 90 * time.Second, replayed: 50_000, replayRate: 3000, kills: 10}
	brief = scale{atMost: 9 * time.Minute, atOnce: 4, rate: 250, blows: 2, between: 300 * time.Millisecond,
		away: 2 * time.Second, frozen: time.Second,
		arrivals: 30, down: 3 * time.Second, retryAfter: time.Second, moved: time.Second, refusing: 500 * time.Millisecond,
		frozenLong: 10 * time.Second, replayed: 600, replayRate: 200, kills: 2}
)

// connections is how many the load has.
const connections = 32
