package main

import (
	"cmp"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"hooktape/event"
	"hooktape/store"
)

type eventsCmd struct {
	List eventsListCmd `cmd:"" help:"List events, newest first."`
	Show eventsShowCmd `cmd:"" help:"Show one event: the request as it came, what was read from it, and its deliveries."`
}

type eventsListCmd struct {
	selectionFlags
	To    string `hidden:"" help:"The same as --until."`
	Limit int    `default:"50" help:"At most this many."`
	JSON  bool   `name:"json" help:"Print JSON."`
}

// Run lists events.
func (c eventsListCmd) Run(e *env) error {
	c.Until = cmp.Or(c.Until, c.To)
	if c.Limit < 1 {
		return errors.New("--limit must be at least 1")
	}
	sel, err := c.selection(time.Now())
	if err != nil {
		return err
	}
	db, _, err := e.openStore()
	if err != nil {
		return err
	}
	defer db.Close()
	events, err := db.ListEvents(e.ctx, sel, store.Page{Limit: c.Limit})
	if err != nil {
		return err
	}
	if c.JSON {
		list := make([]eventJSON, len(events))
		for i := range events {
			list[i] = briefJSON(&events[i])
		}
		return printJSON(e.stdout, list)
	}
	if len(events) == 0 {
		fmt.Fprintln(e.stdout, "no events match")
		return nil
	}
	return printEvents(e.stdout, events)
}

func printEvents(w io.Writer, events []event.Event) error {
	t := newTable(w, "RECEIVED", "SOURCE", "STEP", "KIND", "VERDICT", "SUBSCRIBER", "NAME", "UTM SOURCE", "ID")
	for i := range events {
		ev := &events[i]
		t.row(local(ev.ReceivedAt), ev.Source, orDash(ev.Step), string(ev.Kind), string(ev.Verdict), orDash(ev.BothelpUserID),
			orDash(ev.Name), orDash(ev.UTMSource), ev.ID.String())
	}
	return t.end()
}

type eventsShowCmd struct {
	ID   string `arg:"" help:"The event's id."`
	JSON bool   `name:"json" help:"Print JSON."`
	Raw  bool   `help:"Print the body's bytes and nothing else."`
}

// Run shows one event.
func (c eventsShowCmd) Run(e *env) error {
	id, err := uuid.Parse(c.ID)
	if err != nil {
		return fmt.Errorf("%q is no event id; `hooktape events list` shows ids", c.ID)
	}
	db, _, err := e.openStore()
	if err != nil {
		return err
	}
	defer db.Close()
	ev, err := db.Event(e.ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		return fmt.Errorf("there is no event %s (one that has just been received is stored within a second)", id)
	}
	if err != nil {
		return err
	}
	if c.Raw {
		_, err := e.stdout.Write(ev.Body)
		return err
	}
	deliveries, err := db.DeliveriesOf(e.ctx, id)
	if err != nil {
		return err
	}
	attempts, err := db.AttemptsOf(e.ctx, id)
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(e.stdout, wholeJSON(ev, deliveries, attempts))
	}
	showEvent(e.stdout, ev)
	return showDeliveries(e.stdout, deliveries, attempts)
}

func showEvent(w io.Writer, ev *event.Event) {
	query := ""
	if ev.Query != "" {
		query = "?" + ev.Query
	}
	fmt.Fprintf(w, "event     %s\nreceived  %s from %s\nstored    %s\nverdict   %s\ntrace     %s\n", ev.ID, local(ev.ReceivedAt),
		ev.RemoteIP, local(ev.StoredAt), ev.Verdict, hex.EncodeToString(ev.TraceID[:]))
	if ev.DuplicateOf != uuid.Nil {
		fmt.Fprintf(w, "repeats   %s\n", ev.DuplicateOf)
	}
	fmt.Fprintf(w, "\n--- request\n%s %s%s\n", safe(ev.Method), safe(ev.Path), safe(query))
	for _, h := range ev.Headers {
		fmt.Fprintf(w, "%s: %s\n", safe(h.Name), safe(h.Value))
	}
	fmt.Fprintf(w, "\n%s\n", bodyText(ev.Body))
	fmt.Fprintf(w, "\n--- read from it\n")
	list := append([][2]string{{"kind", string(ev.Kind)}}, knownFields(ev, local)...)
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

// bodyText is a body for a terminal: as it is when it is text, else as a hex dump.
func bodyText(body []byte) string {
	switch {
	case len(body) == 0:
		return "(no body)"
	case utf8.Valid(body):
		return safeText(string(body))
	}
	return "(not UTF-8; --raw prints the bytes)\n" + hex.Dump(body[:min(len(body), 4096)])
}

// knownFields lists those that the event has, name and value.
func knownFields(ev *event.Event, when func(time.Time) string) (list [][2]string) {
	add := func(name, value string) {
		if value != "" {
			list = append(list, [2]string{name, value})
		}
	}
	addTime := func(name string, t *time.Time) {
		if t != nil {
			add(name, when(*t))
		}
	}
	addTime("event_at", ev.EventAt)
	add("bothelp_user_id", ev.BothelpUserID)
	add("messenger_user_id", ev.MessengerUserID)
	add("messenger_username", ev.MessengerUsername)
	add("cuid", ev.CUID)
	add("ref", ev.Ref)
	add("name", ev.Name)
	add("first_name", ev.FirstName)
	add("last_name", ev.LastName)
	add("email", ev.Email)
	add("phone", ev.Phone)
	add("profile_link", ev.ProfileLink)
	add("channel", ev.Channel)
	if ev.ConversationsCount != nil {
		add("conversations_count", strconv.FormatUint(*ev.ConversationsCount, 10))
	}
	addTime("created_at", ev.CreatedAt)
	addTime("first_contact_at", ev.FirstContactAt)
	addTime("last_contact_at", ev.LastContactAt)
	add("utm_source", ev.UTMSource)
	add("utm_medium", ev.UTMMedium)
	add("utm_campaign", ev.UTMCampaign)
	add("utm_content", ev.UTMContent)
	add("utm_term", ev.UTMTerm)
	return list
}

func showDeliveries(w io.Writer, deliveries []event.Delivery, attempts []event.Attempt) error {
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
		if d.State == event.Retrying {
			fmt.Fprintf(w, ", next at %s", local(d.NextAt))
		}
		fmt.Fprintln(w)
		t := newTable(w, "  #", "STARTED", "TOOK", "OUTCOME", "STATUS", "ERROR", "TRACE")
		made := attemptsAt(d, attempts)
		for _, a := range made {
			t.row(fmt.Sprintf("  %d", a.Number), local(a.StartedAt), a.Duration.Round(time.Millisecond/10).String(), string(a.Outcome),
				statusText(a.StatusCode), orDash(a.Error), hex.EncodeToString(a.TraceID[:]))
		}
		if err := t.end(); err != nil {
			return err
		}
		if len(made) > 0 && len(made[len(made)-1].ResponseBody) > 0 {
			answer := bodyText(made[len(made)-1].ResponseBody)
			fmt.Fprintf(w, "  answered: %s\n", strings.ReplaceAll(answer, "\n", "\n  "))
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
