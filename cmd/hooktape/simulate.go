package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"hooktape/internal/event"
	"hooktape/internal/simulate"
	"hooktape/internal/store"
)

type simulateCmd struct {
	Days        int     `placeholder:"N" help:"Make the history of N days and insert it."`
	Subscribers uint32  `default:"5000" placeholder:"N" help:"How many people come in these days; each makes some seven requests in 30 days, ten in 90."`
	Until       string  `placeholder:"TIME" help:"When the history ends (default: this minute)."`
	Rate        float64 `placeholder:"N" help:"Post about N requests a second to the ingest."`
	For         string  `placeholder:"SPAN" help:"Stop posting after this time: 90s, 10m, 2h (default: at Ctrl-C)."`
	Speed       int64   `default:"60" placeholder:"N" help:"While posting: people take an N-th of the time that they would, so that funnels fill while you watch."`
	URL         string  `name:"url" placeholder:"URL" help:"Post to this hook URL, without a step (default: to the sources of the configuration)."`
	External    bool    `name:"external-requests" help:"With --days: External Requests too, to a source called price, and what became of them."`
	Backend     string  `placeholder:"HOST:PORT" help:"While posting: listen here as the backend that answers External Requests, at times late, wrong or not at all."`
	Seed        uint64  `default:"1" help:"Another seed is another account."`
	Truth       string  `type:"path" placeholder:"FILE" help:"Write the right answers about the account to FILE, as JSON."`
	JSON        bool    `name:"json" help:"Print the right answers about the account, as JSON."`
	Within      string  `default:"7d" placeholder:"SPAN" help:"For the truth: a conversion counts if it comes so soon after the first step."`
	DryRun      bool    `help:"With --days: insert nothing, and only print the right answers."`
}

// Help is shown below the flags.
func (simulateCmd) Help() string {
	return `It simulates a BotHelp account: messengers, UTM tags that convert differently, two flows ("course" and
"webinar") and a chat, people who drop out and come back, and faulty requests. In the dashboards it looks like a real
account; its requests have the User-Agent ` + simulate.UserAgent + `. The same flags generate the same events.

  hooktape simulate --days 30                          a month of history, at once
  hooktape simulate --days 90 --subscribers 1000000    as much as a large account has
  hooktape simulate --days 30 --external-requests      for the dashboard of External Requests too
  hooktape simulate --rate 20 --for 10m                live, through the ingest; Ctrl-C stops it
  hooktape simulate --rate 20 --backend 127.0.0.1:9090 the same, with a backend for a source that forwards
  hooktape simulate --days 30 --dry-run --json         the right answers: leads, funnels, conversions by UTM …

Live requests go to the sources called course, webinar and chat, or to the first source where the configuration has no
such source. If a source has forward, External Requests go to the first such source, and hooktape forwards them to its
endpoint; --backend answers there. docs/EXTERNAL-REQUEST.md has a configuration to try it. The right answers do not
count External Requests. Simulated events are events like others: endpoints that follow live deliveries get them, so
use a database of its own (--clickhouse-dsn, --data). A history is stored now, days after the times of its requests;
dashboards of the storage lag show that.`
}

// Run simulates an account.
func (c simulateCmd) Run(e *env) error {
	within, err := event.ParseSpan(c.Within)
	if err != nil {
		return fmt.Errorf("--within: %w", err)
	}
	live, back := c.Rate != 0, c.Days != 0
	switch {
	case live == back:
		return errors.New("say either --days N (history) or --rate N (live); see hooktape simulate --help")
	case c.Rate < 0 || c.Rate > 100_000:
		return errors.New("--rate must be between 0 and 100000")
	case c.Speed < 1 || c.Speed > 100_000:
		return errors.New("--speed must be between 1 and 100000")
	case c.Days < 0 || c.Days > 3650:
		return errors.New("--days must be between 1 and 3650")
	case back && (c.For != "" || c.URL != "" || c.Backend != ""):
		return errors.New("--for, --url and --backend go with --rate, not with --days")
	case c.URL != "" && c.Backend != "":
		return errors.New("--backend goes with the sources of the configuration, not with --url")
	case live && (c.Until != "" || c.DryRun || c.External):
		return errors.New("--until, --dry-run and --external-requests go with --days, not with --rate")
	}
	if live {
		return c.post(e, within)
	}
	return c.backfill(e, within)
}

func (c simulateCmd) backfill(e *env, within time.Duration) error {
	now := time.Now().Truncate(time.Minute)
	until, err := parseTime(c.Until, "--until", now, &now)
	if err != nil {
		return err
	}
	o := simulate.DefaultOptions(*until, c.Days)
	o.Seed, o.Subscribers = c.Seed, c.Subscribers
	account, err := simulate.New(o)
	if err != nil {
		return err
	}
	if !c.DryRun {
		if err := c.insert(e, account); err != nil {
			return err
		}
	}
	if c.DryRun {
		report := account.Truth().Between(simulate.Question{From: account.From, To: account.Until, Within: within})
		fmt.Fprintf(e.stderr, "%s from %s to %s would be inserted; nothing was\n", plural(report.All.Events, "event"),
			local(account.From), local(account.Until))
	}
	return c.tell(e, account, account.From, account.Until, within)
}

func (c simulateCmd) insert(e *env, account *simulate.Account) error {
	db, _, err := e.openStore()
	if err != nil {
		return err
	}
	defer db.Close()
	if _, err := db.Migrate(e.ctx); err != nil {
		return err
	}
	begun := time.Now()
	line := newStatus(e)
	var done simulate.Progress
	insert := db.InsertEvents
	if c.External {
		insert = withExchanges(db)
	}
	err = account.Backfill(e.ctx, insert, func(p simulate.Progress) {
		done = p
		line.show(func() string { return backfillBar(account, p, time.Since(begun)) })
	})
	line.clear()
	elapsed := time.Since(begun)
	if e.ctx.Err() != nil {
		fmt.Fprintf(e.stderr, "stopped after %s; the same command with --until %s goes on where it was\n",
			plural(done.Events, "event"), account.Until.Format(time.RFC3339))
		return exitLeft
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(e.stderr, "%s from %s to %s inserted in %s: %.0f/s\n", plural(done.Events, "event"),
		local(account.From), local(account.Until),
		elapsed.Round(100*time.Millisecond), float64(done.Events)/elapsed.Seconds())
	return nil
}

// withExchanges returns an insert of webhooks, and of the External Requests after them.
func withExchanges(db *store.Store) simulate.Insert {
	return func(ctx context.Context, token string, webhooks []event.Event) error {
		if err := db.InsertEvents(ctx, token, webhooks); err != nil {
			return err
		}
		requests, attempts := simulate.Exchanges(webhooks)
		if len(requests) == 0 {
			return nil
		}
		token += "-external"
		if err := db.InsertEvents(ctx, token, requests); err != nil {
			return err
		}
		return db.RecordOutcomes(ctx, token, nil, attempts)
	}
}

// backfillBar shows how much of the history is done, by its time.
func backfillBar(a *simulate.Account, p simulate.Progress, elapsed time.Duration) string {
	total, done := a.Until.Sub(a.From), p.Until.Sub(a.From)
	line := progressBar(uint64(done), uint64(total)) + fmt.Sprintf("  %s, %.0f/s", plural(p.Events, "event"),
		float64(p.Events)/elapsed.Seconds())
	if done > 0 && done < total {
		left := time.Duration(float64(elapsed) * float64(total-done) / float64(done))
		line += fmt.Sprintf(", %s left", left.Round(time.Second))
	}
	return line
}

// tell writes the truth to the file and to stdout, as the flags say.
func (c simulateCmd) tell(e *env, account *simulate.Account, from, to time.Time, within time.Duration) error {
	if c.Truth == "" && !c.JSON {
		return nil
	}
	report := account.Truth().Between(simulate.Question{From: from, To: to, Within: within})
	if c.Truth != "" {
		var text strings.Builder
		if err := cmp.Or(printJSON(&text, report), os.WriteFile(c.Truth, []byte(text.String()), 0o644)); err != nil {
			return err
		}
	}
	if c.JSON {
		return printJSON(e.stdout, report)
	}
	return nil
}
