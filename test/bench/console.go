package main

import (
	"context"
	"flag"
	"fmt"
	"html"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"hooktape/internal/store"
	"hooktape/replay"
	"hooktape/web/api"
	"hooktape/web/console"
)

// The aims.
const (
	listAim       = 500 * time.Millisecond
	eventAim      = 300 * time.Millisecond
	subscriberAim = 500 * time.Millisecond
	analyticsAim  = time.Second
)

const secret = "the-secret-of-the-bench"

// browser is a client that is logged in to a console on a large account.
type browser struct {
	*account
	times  int
	server *httptest.Server
	web    *http.Client
	known  known
}

// pages fills a real engine with a simulated account, gives a tenth of the events a delivery with an attempt and a
// trace, serves the console on it, and requests the list of events with one filter at a time, an event's page and a
// subscriber's, as a browser does. It prints the first, the median and the slowest time in milliseconds.
func pages(ctx context.Context, args []string, stdout io.Writer) error {
	flags := flag.NewFlagSet("console", flag.ContinueOnError)
	times := flags.Int("times", 7, "requests for each page")
	only := flags.String("only", "", "measure the pages with this text in their name")
	a, err := openAccount(ctx, flags, args, stdout)
	if err != nil {
		return err
	}
	defer a.Close()
	db, err := store.Open(string(a.db))
	if err != nil {
		return err
	}
	defer db.Close()
	b := &browser{account: a, times: *times}
	if b.known, err = a.deliver(ctx, db); err != nil {
		return err
	}
	endpoints := []replay.Endpoint{replay.DefaultEndpoint("crm", "https://crm.example.org/")}
	service := replay.NewService(db, func() []replay.Endpoint { return endpoints }, false)
	logger := slog.New(slog.NewTextHandler(stdout, &slog.HandlerOptions{Level: slog.LevelWarn}))
	handler, err := console.New(console.Options{Direct: api.NewDirect(db, service, replay.Actor{}),
		Guard: api.NewGuard(logger), Logger: logger, Version: "bench", Sources: func() []console.Source { return nil },
		Tokens: []api.Token{{Name: "bench", Secret: secret, Role: api.RoleAdmin}}})
	if err != nil {
		return err
	}
	b.server = httptest.NewServer(handler)
	defer b.server.Close()
	jar, _ := cookiejar.New(nil) // never fails without options
	b.web = &http.Client{Jar: jar}
	response, err := b.web.PostForm(b.server.URL+"/login", url.Values{"token": {secret}})
	if err != nil {
		return err
	}
	response.Body.Close()
	return b.all(ctx, *only)
}

// page is a page to measure.
type page struct {
	name  string
	query url.Values // of the list of events; nil: another page
	path  string
	aim   time.Duration
	// cold makes each request end a minute earlier, so that ClickHouse's query cache answers none.
	cold bool
}

func (b *browser) pages() (list []page) {
	k := b.known
	filter := func(name string, pairs ...string) {
		values := url.Values{}
		for i := 0; i < len(pairs); i += 2 {
			values.Add(pairs[i], pairs[i+1])
		}
		list = append(list, page{name: name, query: values, path: "/?" + values.Encode(), aim: listAim})
	}
	middle := k.From.Add(k.To.Sub(k.From) / 2)
	filter("no filter")
	for _, since := range []string{"15m", "1h", "24h", "7d", "30d"} {
		filter("the last "+since, "since", since)
	}
	filter("an hour in the middle", "from", middle.Format(time.RFC3339), "to",
		middle.Add(time.Hour).Format(time.RFC3339))
	filter("source", "source", k.Source)
	filter("unknown source", "source", "nothing")
	filter("step", "step", k.Step)
	filter("unknown step", "step", "nothing")
	filter("kind", "kind", "user_profile_viewed")
	filter("verdict", "verdict", "bad_signature")
	filter("rejected", "rejected", "true")
	filter("unused verdict", "verdict", "too_large")
	filter("channel", "channel", k.Channel)
	filter("utm_source", "utm_source", k.UTM)
	filter("utm_medium", "utm_medium", k.Medium)
	filter("utm_campaign", "utm_campaign", k.Campaign)
	filter("utm_content", "utm_content", k.Content)
	filter("utm_term", "utm_term", k.Term)
	filter("unknown utm_term", "utm_term", "nothing")
	filter("subscriber", "subscriber", k.Subscriber)
	filter("unknown subscriber", "subscriber", "nobody-at-all")
	filter("event by its id", "id", k.Old)
	filter("text: a name", "text", k.Name)
	filter("text: a phone number", "text", k.Phone)
	filter("unknown text", "text", "nothing has this")
	filter("custom field", "field", "Город="+k.Field)
	filter("unknown custom field", "field", "nothing=has")
	filter("not delivered to crm", "undelivered_to", "crm")
	filter("failed at crm", "failed_at", "crm")
	filter("expression", "where", "length(body) > 600")
	filter("expression that is always false", "where", "length(body) > 1000000")
	return append(list, page{name: "an old event", path: "/events/" + k.Old, aim: eventAim},
		page{name: "a new event: deliveries, trace", path: "/events/" + k.New, aim: eventAim},
		page{name: "a subscriber", path: "/subscribers/" + url.PathEscape(k.Subscriber), aim: subscriberAim},
		page{name: "deliveries and failure groups", path: "/deliveries", aim: listAim},
		page{name: "failed deliveries", path: "/deliveries?state=failed", aim: listAim},
		page{name: "deliveries with a status", path: "/deliveries?status_code=5xx", aim: listAim},
		page{name: "deliveries about a subscriber", path: "/deliveries?subscriber=" + url.QueryEscape(k.Subscriber),
			aim: listAim},
		page{name: "deliveries to an endpoint", path: "/endpoints/crm", aim: listAim},
		page{name: "endpoints", path: "/endpoints", aim: listAim}, page{name: "sources", path: "/sources",
			aim: listAim}, page{name: "replays", path: "/replays", aim: listAim},
		page{name: "analytics of 24 h", path: "/analytics?since=24h", aim: analyticsAim, cold: true},
		page{name: "analytics of 30 days", path: "/analytics?since=30d", aim: analyticsAim, cold: true})
}

// all measures each page with a text in its name, and prints the times.
func (b *browser) all(ctx context.Context, only string) error {
	w := b.table()
	fmt.Fprintf(w, "milliseconds\tfirst\tmedian\tslowest\taim\t\tto the end\tcount and chart\t\n")
	missed := 0
	for _, p := range b.pages() {
		if !strings.Contains(p.name, only) {
			continue
		}
		took, err := b.ask(ctx, p, b.times)
		if err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
		median, slowest := middleOf(took), slices.Max(took)
		mark := ""
		if median > p.aim {
			mark, missed = "✗", missed+1
		}
		chart, end := "", ""
		if p.query != nil {
			if end, err = b.toTheEnd(ctx, p.path); err != nil {
				return fmt.Errorf("%s, to the end: %w", p.name, err)
			}
			took, err := b.ask(ctx, page{path: "/events/chart?" + p.query.Encode()}, max(b.times/3, 1))
			if err != nil {
				return fmt.Errorf("%s, the chart: %w", p.name, err)
			}
			chart = fmt.Sprint(middleOf(took).Milliseconds())
		}
		fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%d\t%s\t%s\t%s\t\n", p.name, took[0].Milliseconds(), median.Milliseconds(),
			slowest.Milliseconds(), p.aim.Milliseconds(), mark, end, chart)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	fmt.Fprintf(b.out, "\n%d of the aims not reached (✗)\n", missed)
	return nil
}

// ask requests a page several times.
func (b *browser) ask(ctx context.Context, p page, times int) (took []time.Duration, err error) {
	for i := range times {
		path, begun := p.path, time.Now()
		if p.cold {
			path += "&until=" + begun.Add(-time.Duration(i+1)*time.Minute).UTC().Format(time.RFC3339)
		}
		if _, err := b.get(ctx, path); err != nil {
			return nil, err
		}
		took = append(took, time.Since(begun))
	}
	return took, nil
}

var further = regexp.MustCompile(`hx-get="(/events/further[^"]*)"`)

// toTheEnd follows a search that continues in steps, as the page does, and returns the total time. It returns "" for a
// search that ends with its first page.
func (b *browser) toTheEnd(ctx context.Context, path string) (string, error) {
	begun := time.Now()
	for steps := 0; ; steps++ {
		text, err := b.get(ctx, path)
		if err != nil {
			return "", err
		}
		next := further.FindStringSubmatch(text)
		switch {
		case next == nil && steps == 0:
			return "", nil
		case next == nil:
			return fmt.Sprint(time.Since(begun).Milliseconds()), nil
		}
		path = html.UnescapeString(next[1])
	}
}

func (b *browser) get(ctx context.Context, path string) (string, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, b.server.URL+path, nil)
	if err != nil {
		return "", err
	}
	if strings.HasPrefix(path, "/events/") && strings.Contains(path, "?") {
		r.Header.Set("HX-Request", "true")
	}
	response, err := b.web.Do(r)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %.500s", response.Status, text)
	}
	return string(text), err
}

func middleOf(took []time.Duration) time.Duration {
	sorted := slices.Sorted(slices.Values(took))
	return sorted[len(sorted)/2]
}
