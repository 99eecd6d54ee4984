package main

import "time"

// scale is how much torture there is.
type scale struct {
	atMost  time.Duration // the whole
	atOnce  int           // faults under way together
	rate    float64       // requests a second
	blows   int           // kills, freezes or power cuts in a row
	between time.Duration // two blows, at most
	away    time.Duration // how long ClickHouse is
	frozen  time.Duration // how long ClickHouse is, each time
}

var (
	full = scale{atMost: 8 * time.Minute, atOnce: 2, rate: 3000, blows: 6, between: 1500 * time.Millisecond,
		away: 30 * time.Second, frozen: 4 * time.Second}
	brief = scale{atMost: 2 * time.Minute, atOnce: 4, rate: 1500, blows: 2, between: 400 * time.Millisecond,
		away: 5 * time.Second, frozen: 2 * time.Second}
)

// connections is how many the load has.
const connections = 32
