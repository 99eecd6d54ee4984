package main

import (
	"cmp"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"hooktape/internal/event"
	"hooktape/web/api"
)

type eventsCmd struct {
	List eventsListCmd `cmd:"" help:"List events, newest first."`
	Show eventsShowCmd `cmd:"" help:"Show one event: the original request, the parsed fields, and the deliveries."`

	Accept eventsAcceptCmd `cmd:"" help:"Accept rejected requests after all, such as a lead that came with an old token."`
	Export eventsExportCmd `cmd:"" help:"Write whole events to a file: ndjson, csv or parquet."`
}

type eventsListCmd struct {
	selectionFlags
	oldTo
	Limit int  `default:"50" help:"At most this many."`
	JSON  bool `name:"json" help:"Print JSON."`
}

// Help implements kong.HelpProvider.
func (eventsListCmd) Help() string {
	return `Examples:

  hooktape events list --since 2h --source demo --step paid
  hooktape events list --from 01:00 --until 03:00 --undelivered-to crm
  hooktape events list --utm-source vk --field city=Омск --json
  hooktape events list --rejected --since 1h      # what was rejected, and why
  hooktape events list --verdict bad_token --verdict unknown_source`
}

// Run lists events.
func (c eventsListCmd) Run(e *env) error {
	if c.Limit < 1 {
		return errors.New("--limit must be at least 1")
	}
	sel, err := c.selection(e, time.Now())
	if err != nil {
		return err
	}
	return e.withBackend(func(b backend) error {
		events := []api.Event{}
		more, err := readPages(c.Limit, func(size int, cursor string) (int, string, error) {
			page, err := b.Events(e.ctx, sel, size, cursor)
			events = append(events, page.Events...)
			return len(page.Events), page.Next, err
		})
		if err != nil {
			return err
		}
		if more {
			defer fmt.Fprintf(e.stderr,
				"there are more than these %d; --limit shows more, `hooktape events export` all\n", c.Limit)
		}
		switch {
		case c.JSON:
			return printJSON(e.stdout, events)
		case len(events) == 0:
			fmt.Fprintln(e.stderr, "no events match; new events are listed within a second")
			return nil
		}
		if sel.Rejected {
			return printRejected(e.stdout, events)
		}
		return printEvents(e.stdout, events)
	})
}

// printRejected prints rejected requests. Names and phones are read from their bodies, and not verified.
func printRejected(w io.Writer, events []api.Event) error {
	t := newTable(w, "RECEIVED", "FROM", "SOURCE", "STEP", "REJECTED BECAUSE", "NAME", "CONTACT", "BODY", "ID")
	for _, ev := range events {
		r := ev.Rejection
		t.row(local(ev.ReceivedAt), ev.RemoteIP, ev.Source, orDash(ev.Step), r.Reason, orDash(api.PersonIn(r.Parsed)),
			orDash(api.ContactIn(r.Parsed)), cmp.Or(r.Kept, r.Obstacle, "complete"), ev.ID.String())
	}
	return t.end()
}

func printEvents(w io.Writer, events []api.Event) error {
	columns := []string{"RECEIVED", "SOURCE", "STEP", "KIND", "VERDICT", "SUBSCRIBER", "NAME", "UTM SOURCE", "ID"}
	waited := slices.ContainsFunc(events, func(ev api.Event) bool { return flaws(ev) != "" })
	if waited {
		columns = append(columns, "BOT GOT")
	}
	t := newTable(w, columns...)
	for _, ev := range events {
		cells := []string{local(ev.ReceivedAt), ev.Source, orDash(ev.Step), string(ev.Kind), string(ev.Verdict),
			orDash(ev.Decoded["bothelp_user_id"]),
			orDash(ev.Decoded["name"]), orDash(ev.Decoded["utm_source"]), ev.ID.String()}
		if waited {
			cells = append(cells, orDash(flaws(ev)))
		}
		t.row(cells...)
	}
	return t.end()
}

// flaws says what was wrong with the answer that a waiting bot got; "" if nothing, or if no bot waited.
func flaws(ev api.Event) string {
	var list []string
	if ev.Fallback != "" {
		list = append(list, "fallback ("+string(ev.Fallback)+")")
	}
	if ev.BrokenOff {
		list = append(list, "answer broke off")
	}
	if len(ev.MissingKeys) > 0 {
		list = append(list, "no "+strings.Join(ev.MissingKeys, ", "))
	}
	return strings.Join(list, "; ")
}

type eventsShowCmd struct {
	ID string `arg:"" optional:"" help:"The event's id, or a unique beginning of it."`
	last
	JSON bool `name:"json" help:"Print JSON."`
	Raw  bool `help:"Print the body's bytes and nothing else."`
}

// Run shows one event.
func (c eventsShowCmd) Run(e *env) error {
	return e.withBackend(func(b backend) error {
		id, err := uuidOf(e, b, event.NamesEvent, c.ID, c.Last)
		if err != nil {
			return err
		}
		if c.Raw {
			body, err := b.Body(e.ctx, id)
			if err == nil {
				_, err = e.stdout.Write(body)
			}
			return err
		}
		ev, err := b.Event(e.ctx, id)
		if err != nil {
			return err
		}
		if c.JSON {
			return printJSON(e.stdout, ev)
		}
		showEvent(e.stdout, ev)
		if ev.Forward != nil {
			showForward(e.stdout, *ev.Forward)
		}
		return showDeliveries(e.stdout, ev.Deliveries)
	})
}

func showEvent(w io.Writer, ev api.Event) {
	query := ""
	if raw := ev.Request.RawQuery(); raw != "" {
		query = "?" + raw
	}
	fmt.Fprintf(w, "event     %s\nreceived  %s from %s\nstored    %s\nverdict   %s\ntrace     %s\n", ev.ID,
		local(ev.ReceivedAt),
		safe(ev.RemoteIP), local(ev.StoredAt), safe(string(ev.Verdict)), safe(ev.TraceID))
	if r := ev.Rejection; r != nil {
		fmt.Fprintf(w, "rejected  %s; %s\n", r.Reason,
			cmp.Or(r.Obstacle, "`hooktape events accept` accepts it after all"))
	}
	if a := ev.Acceptance; a != nil {
		fmt.Fprintf(w, "accepted  by %s, %s; rejected before: %s\n", safe(a.By), local(a.At), a.Was.Reason())
	}
	if ev.DuplicateOf != uuid.Nil {
		fmt.Fprintf(w, "repeats   %s\n", ev.DuplicateOf)
	}
	fmt.Fprintf(w, "\n--- request\n%s %s%s\n", safe(ev.Request.Method), safe(ev.Request.Path), safe(query))
	for _, h := range ev.Request.Headers {
		fmt.Fprintf(w, "%s: %s\n", safe(h.Name), safe(h.Value))
	}
	fmt.Fprintf(w, "\n%s\n", requestBody(ev.Request))
	fmt.Fprintf(w, "\n--- parsed fields\n")
	list := [][2]string{{"kind", string(ev.Kind)}}
	for _, name := range api.DecodedNames {
		if value := ev.Decoded[name]; value != "" {
			list = append(list, [2]string{name, localText(name, value)})
		}
	}
	for _, name := range slices.Sorted(maps.Keys(ev.Fields)) {
		list = append(list, [2]string{name, ev.Fields[name]})
	}
	if ev.DecodeError != "" {
		list = append(list, [2]string{"not readable", ev.DecodeError})
	}
	for _, f := range list {
		fmt.Fprintf(w, "%-20s %s\n", safe(f[0]), safe(f[1]))
	}
}

// localText formats fields that are times.
func localText(name, value string) string {
	if t, err := time.Parse(time.RFC3339Nano, value); err == nil && strings.HasSuffix(name, "_at") {
		return local(t)
	}
	return value
}

func requestBody(r *api.EventRequest) string {
	if r.BodyGone {
		return "(its body is past its retention; the SHA-256 of it was " + safe(r.BodySHA256) + ")"
	}
	return bodyText(r.Bytes())
}

// bodyText returns a body for a terminal: text unchanged, anything else as a hex dump.
func bodyText(body []byte) string {
	switch {
	case len(body) == 0:
		return "(no body)"
	case utf8.Valid(body):
		return safeText(string(body))
	}
	return "(not UTF-8; --raw prints the bytes)\n" + hex.Dump(body[:min(len(body), 4096)])
}

// showForward prints the request for whose answer a bot waited.
func showForward(w io.Writer, f api.Forward) {
	fmt.Fprintf(w, "\n--- external request to %s\n", safe(f.Endpoint))
	list := [][2]string{{"url", f.URL}, {"started", local(f.StartedAt)},
		{"took", millis(f.DurationMS) + ", and " + millis(f.OverheadMS) + " in hooktape"},
		{"outcome", string(f.Outcome)}, {"status", statusText(f.StatusCode)}, {"error", f.Error},
		{"fallback sent", string(f.Fallback)}, {"missing keys", strings.Join(f.MissingKeys, ", ")},
		{"trace", f.TraceID}}
	for _, line := range list {
		if line[1] != "" {
			fmt.Fprintf(w, "%-20s %s\n", line[0], safe(line[1]))
		}
	}
	if response := f.Response(); len(response) > 0 {
		fmt.Fprintf(w, "answered (%d bytes):\n%s\n", f.ResponseBytes, bodyText(response))
	}
}

func showDeliveries(w io.Writer, deliveries []api.Delivery) error {
	fmt.Fprintf(w, "\n--- deliveries\n")
	if len(deliveries) == 0 {
		fmt.Fprintln(w, "none")
		return nil
	}
	for _, d := range deliveries {
		way := "live"
		if d.ReplayID != uuid.Nil {
			way = "replay " + d.ReplayID.String()
		}
		fmt.Fprintf(w, "%s to %s (%s)", d.State, safe(d.Endpoint), way)
		if !d.NextAt.IsZero() {
			fmt.Fprintf(w, ", next at %s", local(d.NextAt))
		}
		fmt.Fprintln(w)
		if d.Waiting != nil {
			fmt.Fprintf(w, "  waiting: %s\n", safe(d.Waiting.Text))
		}
		if len(d.Attempts) == 0 {
			continue
		}
		t := newTable(w, "  #", "STARTED", "TOOK", "OUTCOME", "STATUS", "ERROR", "TRACE")
		for _, a := range d.Attempts {
			t.row(fmt.Sprintf("  %d", a.Number), local(a.StartedAt), millis(a.DurationMS), string(a.Outcome),
				statusText(a.StatusCode), orDash(a.Error), a.TraceID)
		}
		if err := t.end(); err != nil {
			return err
		}
		if response := d.Attempts[len(d.Attempts)-1].Response(); len(response) > 0 {
			fmt.Fprintf(w, "  answered: %s\n", strings.ReplaceAll(bodyText(response), "\n", "\n  "))
		}
	}
	return nil
}

func statusText(code uint16) string {
	if code == 0 {
		return "-"
	}
	return fmt.Sprint(code)
}

// millis writes a number of milliseconds as a duration.
func millis(ms float64) string {
	return time.Duration(ms * float64(time.Millisecond)).Round(time.Millisecond / 10).String()
}
