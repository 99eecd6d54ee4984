package main

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"hooktape/internal/event"
	"hooktape/internal/outbound"
	"hooktape/replay"
	"hooktape/web/api"
)

type replayCreateCmd struct {
	selectionFlags
	To                []string `sep:"none" placeholder:"ENDPOINT" help:"Where to send: a configured endpoint's name, or a URL."`
	Again             string   `placeholder:"ID" help:"Send the events of this replay once more, with its endpoint, options and headers; other options replace its own. A replay's id, a unique beginning of it, or last."`
	DryRun            bool     `help:"Show what would be sent, and send nothing."`
	Rate              float64  `placeholder:"N" help:"At most N requests a second (default: as fast as the endpoint answers)."`
	Concurrency       uint16   `default:"4" placeholder:"N" help:"At most N requests at once (default: 4); with 1 the events go out strictly in order."`
	Order             string   `enum:"none,subscriber" default:"none" placeholder:"ORDER" help:"none (the default): in no particular order; subscriber: each subscriber's events one after the other."`
	Mode              string   `enum:"undelivered,all" default:"undelivered" placeholder:"MODE" help:"undelivered (the default): skip events that are already delivered to the endpoint, or pending for it; all: send everything."`
	Retry             string   `enum:"endpoint,none" default:"endpoint" placeholder:"RETRY" help:"endpoint (the default): as its configuration says; none: one attempt for each event."`
	MaxAttempts       uint16   `placeholder:"N" help:"Try each event at most N times (default: the endpoint's setting)."`
	Pace              string   `placeholder:"PACE" help:"original: keep the time between the events; original×10, or 10: ten times as fast."`
	StopAfterFailures uint32   `placeholder:"N" help:"Pause the replay when N attempts in a row have failed."`
	IncludeRejected   bool     `help:"Also send selected requests that were rejected, if they are stored as a whole. They stay rejected; hooktape events accept also counts them."`
	Header            []string `sep:"none" placeholder:"'NAME: VALUE'" help:"Send this header, instead of the event's own of that name."`
	confirmation
	Detach bool `help:"Print the replay's id and do not follow it."`
	JSON   bool `name:"json" help:"Print JSON."`
}

// Help implements kong.HelpProvider.
func (replayCreateCmd) Help() string {
	return `The selection is frozen: what arrives later does not join. The replay runs in the process of
"hooktape serve" or "hooktape replay serve"; ending this command does not end it.

Examples:

The CRM was down from one to three; send what it missed, in order, 20 a second, and stop when it breaks again:

  hooktape replay create --from 01:00 --until 03:00 --undelivered-to crm --to crm --order subscriber \
    --rate 20 --stop-after-failures 10

What would that be?

  hooktape replay create --failed-at crm --to crm --dry-run

Yesterday's payments to a new version of the CRM, ten times as fast as they came, then compare the answers:

  hooktape replay create --since 1d --step paid --mode all --to https://v2.example.org/hook --pace original×10
  hooktape replay diff ID --against crm

The last replay once more, slower, also what was delivered:

  hooktape replay create --again last --rate 5 --mode all

It asks before it sends more than 1,000 events, sends events again (--mode all), or repeats a replay; scripts give
--yes.

Exit code: 0 completed (or nothing to send), 2 completed with failures, cancelled or paused, 130 Ctrl-C (it goes on).`
}

// Run plans or creates a replay.
func (c *replayCreateCmd) Run(e *env) error {
	want, err := c.request(e, time.Now())
	if err != nil {
		return err
	}
	return e.withBackend(func(b backend) error {
		if c.Again != "" {
			if err := c.repeat(e, b, &want); err != nil {
				return err
			}
		}
		if c.DryRun {
			return c.plan(e, b, want)
		}
		if !c.Yes {
			plan, err := b.Plan(e.ctx, want)
			if err == nil {
				err = c.confirm(e, plan.Confirm)
			}
			if err != nil {
				return err
			}
		}
		r, err := create(e, b, want)
		switch {
		case errors.Is(err, replay.ErrNothing):
			return c.plan(e, b, want)
		case err != nil:
			return err
		case c.Detach && c.JSON:
			return printJSON(e.stdout, r)
		case c.Detach:
			fmt.Fprintln(e.stdout, r.ID)
			return nil
		case !c.JSON:
			fmt.Fprintf(e.stdout, "replay %s: %s to %s\n", r.ID, plural(r.Total, "event"), safe(r.Endpoint))
		}
		return follow(e, b, r, c.JSON)
	})
}

// repeat completes a request with the options of the replay that it repeats. Options that are given replace them.
func (c *replayCreateCmd) repeat(e *env, b backend, want *replay.Request) error {
	if len(want.Selection.Values()) > 0 {
		return errors.New("--again has its own events: leave out the flags that select events")
	}
	id, err := uuidOf(e, b, event.NamesReplay, c.Again, false)
	if err != nil {
		return err
	}
	r, err := b.Replay(e.ctx, id)
	if err != nil {
		return err
	}
	want.Again, want.To = id, cmp.Or(want.To, r.Endpoint)
	o, given := r.ReplayOptions, want.ReplayOptions
	o.Headers = given.Headers // those of the replay are masked here; the API adds them
	o.Rate, o.Pace = cmp.Or(given.Rate, o.Rate), cmp.Or(given.Pace, o.Pace)
	o.MaxAttempts = cmp.Or(given.MaxAttempts, o.MaxAttempts)
	o.StopAfterFailures = cmp.Or(given.StopAfterFailures, o.StopAfterFailures)
	o.IncludeRejected = given.IncludeRejected || o.IncludeRejected
	if given.Concurrency != defaultConcurrency {
		o.Concurrency = given.Concurrency
	}
	if given.Order != event.OrderNone {
		o.Order = given.Order
	}
	if given.Mode != event.ModeUndelivered {
		o.Mode = given.Mode
	}
	if given.Retry != event.RetryEndpoint {
		o.Retry = given.Retry
	}
	want.ReplayOptions = o
	return nil
}

// defaultConcurrency is the default of --concurrency.
const defaultConcurrency = 4

const (
	createTries = 3
	createPause = time.Second
)

// create creates a replay, and repeats the request if its answer is lost. The Idempotency-Key prevents a second replay.
func create(e *env, b backend, want replay.Request) (r event.Replay, err error) {
	key := uuid.NewString()
	for range createTries {
		if r, err = b.Create(e.ctx, key, want); !errors.Is(err, api.ErrUnreachable) {
			return r, err
		}
		if !pause(e.ctx, createPause) {
			return r, err
		}
	}
	return r, err
}

func (c *replayCreateCmd) plan(e *env, b backend, want replay.Request) error {
	plan, err := b.Plan(e.ctx, want)
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(e.stdout, plan)
	}
	return printPlan(e.stdout, plan, want)
}

// request returns the request that the flags describe.
func (c *replayCreateCmd) request(e *env, now time.Time) (want replay.Request, err error) {
	if want.To, err = c.target(now); err != nil {
		return want, err
	}
	if c.Rate < 0 || c.Concurrency < 1 {
		return want, errors.New("--rate must not be negative, --concurrency must be at least 1")
	}
	want.ReplayOptions = event.ReplayOptions{
		Rate:              c.Rate,
		Concurrency:       c.Concurrency,
		Order:             event.Order(c.Order),
		Mode:              event.Mode(c.Mode),
		Retry:             event.Retry(c.Retry),
		MaxAttempts:       c.MaxAttempts,
		StopAfterFailures: c.StopAfterFailures,
		IncludeRejected:   c.IncludeRejected,
	}
	if want.Pace, err = parsePace(c.Pace); err != nil {
		return want, err
	}
	for _, line := range c.Header {
		name, value, ok := strings.Cut(line, ":")
		if name = strings.TrimSpace(name); !ok || name == "" {
			return want, errors.New("--header must be 'Name: value'") // its text may be a secret
		}
		want.Headers = append(want.Headers, event.Header{Name: name, Value: strings.TrimSpace(value)})
	}
	want.Selection, err = c.selection(e, now)
	return want, err
}

// target returns the target of the replay. It rejects times, because --to was once the name of --until.
func (c *replayCreateCmd) target(now time.Time) (string, error) {
	for _, to := range c.To {
		if _, _, isTime := readTime(to, now); isTime {
			return "", fmt.Errorf("--to %s is a time; --to is where the replay goes to, the end of the time is "+
				"--until %s", quoteWord(to), quoteWord(to))
		}
	}
	switch {
	case len(c.To) == 0 && c.Again != "":
		return "", nil
	case len(c.To) == 0:
		return "", errors.New("--to is missing: give the endpoint's name, or a URL; `hooktape endpoints` lists them")
	case len(c.To) > 1:
		return "", errors.New("--to is there twice; one replay goes to one endpoint")
	}
	if strings.Contains(c.To[0], "://") {
		return outbound.CleanURL(c.To[0])
	}
	return c.To[0], nil
}

// parsePace parses original, original×10, or 10.
func parsePace(s string) (float64, error) {
	if s == "" {
		return 0, nil
	}
	m := paceWords.FindStringSubmatch(s)
	if m == nil {
		return 0, fmt.Errorf("--pace %q is none of original, original×10, 10", s)
	}
	factor := cmp.Or(m[1], m[2])
	if factor == "" {
		return 1, nil
	}
	n, err := strconv.ParseFloat(factor, 64)
	if err != nil || n <= 0 || n > 1e6 {
		return 0, fmt.Errorf("--pace %q must be more than 0 and at most 1000000", s)
	}
	return n, nil
}

var paceWords = regexp.MustCompile(`^(?:original(?:[×x*]([0-9.]+))?|([0-9.]+))$`)
