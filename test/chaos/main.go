// Command chaos injects the failures that hooktape promises to survive, under load. It compares the acknowledged
// requests with the stored events, and the stored events with the requests at an endpoint.
//
//	go run ./test/chaos          about five minutes
//	go run ./test/chaos -short   less than one; the faults that no other test has
//
// Each fault has its own hooktape, spool and ClickHouse. After the fault the load ends and the spool drains. Then every
// id that was answered with 200 must be in ClickHouse once, with the sent bytes. If the endpoint or the delivering
// process fails, the endpoint's ledger must have every event, at most as often as attempts are recorded, in order for
// each subscriber, and none during a Retry-After. If external requests are forwarded, each is stored once, with one
// attempt that says what the bot got, and each bot is answered in time. The program fails if a promise is broken.
package main

import (
	"context"
	"flag"
	"io"
	"time"

	"hooktape/test/harness"
)

func main() { harness.Main(run) }

func run(ctx context.Context, args []string, stdout io.Writer) error {
	flags := flag.NewFlagSet("chaos", flag.ContinueOnError)
	short := flags.Bool("short", false, "fewer rounds and shorter outages, without faults that other tests have")
	only := flags.String("only", "", "only the faults whose names contain this")
	processes, err := harness.Open(ctx, flags, args)
	if err != nil {
		return err
	}
	defer processes.Close()
	limits := full
	if *short {
		limits = brief
	}
	ctx, cancel := context.WithTimeout(ctx, limits.atMost)
	defer cancel()
	return (&suite{harness: processes, scale: limits, short: *short, out: stdout, begun: time.Now()}).all(ctx, *only)
}

// scale sets the length and the load of a run.
type scale struct {
	atMost  time.Duration // of the whole run
	atOnce  int           // faults at a time
	rate    float64       // requests a second
	rounds  int           // kills, freezes or power cuts for each fault
	between time.Duration // the longest time between two rounds
	away    time.Duration // how long ClickHouse is down
	frozen  time.Duration // how long ClickHouse is frozen in each round

	arrivals   float64       // requests a second while an endpoint fails
	down       time.Duration // how long an endpoint fails
	retryAfter time.Duration // of an endpoint that answers 429
	moved      time.Duration // how long clocks are wrong
	refusing   time.Duration // how long the endpoint refuses events before a jump of the clocks, and after it
	frozenLong time.Duration // how long ClickHouse is frozen in an insert
	replayed   uint64        // number of events of the killed replay
	replayRate float64       // events a second of that replay, low enough to outlast the kills
	kills      int           // of the replaying process
	bots       int           // that send external requests
}

var (
	full = scale{atMost: 30 * time.Minute, atOnce: 2, rate: 3000, rounds: 6, between: 1500 * time.Millisecond,
		away: 30 * time.Second, frozen: 4 * time.Second,
		arrivals: 400, down: time.Minute, retryAfter: 5 * time.Second, moved: 15 * time.Second,
		refusing:   2 * time.Second,
		frozenLong: 90 * time.Second, replayed: 50_000, replayRate: 3000, kills: 10, bots: 64}
	brief = scale{atMost: 30 * time.Minute, atOnce: 4, rate: 250, rounds: 2, between: 300 * time.Millisecond,
		away: 2 * time.Second, frozen: time.Second,
		arrivals: 30, down: 3 * time.Second, retryAfter: time.Second, moved: time.Second,
		refusing:   500 * time.Millisecond,
		frozenLong: 10 * time.Second, replayed: 600, replayRate: 200, kills: 2, bots: 8}
)

// connections is the number of connections of the load.
const connections = 32
