package console

import (
	"time"

	"github.com/google/uuid"

	"hooktape/web/api"
)

// trace is the way of an event through hooktape as a waterfall: the spans of its arrival, its storing, and each attempt to
// deliver it live. Those of replays may be of another year.
type trace struct {
	ID    string
	Lines []traceLine
	Total string
}

type traceLine struct {
	Name         string
	After, Took  string
	X, Width     float64 // of 1000
	Tone, Detail string
}

const traceWidth = 1000.0

// later is how long after the beginning.
func later(d time.Duration) string {
	if d == 0 {
		return "0"
	}
	return "+" + span(d)
}

func milliseconds(ms float64) time.Duration { return time.Duration(ms * float64(time.Millisecond)) }

func (v *visit) trace(e api.Event) (*trace, error) {
	spans, err := v.direct.Trace(v.Context(), e)
	if err != nil {
		return nil, err
	}
	type part struct {
		name, tone, detail string
		at                 time.Time
		took               time.Duration
	}
	var parts []part
	for _, s := range spans {
		tone := "neutral"
		if s.Status == "Error" {
			tone = "bad"
		}
		parts = append(parts, part{s.Name, tone, s.Kind, s.Start, s.Duration})
	}
	if len(parts) == 0 { // traces are sampled, or not kept as long
		parts = append(parts, part{"received", "neutral", "", e.ReceivedAt, 0})
	}
	parts = append(parts, part{"stored in ClickHouse", "second", "", e.StoredAt, 0})
	for _, d := range e.Deliveries {
		if d.ReplayID != uuid.Nil {
			continue
		}
		for _, a := range d.Attempts {
			parts = append(parts, part{"attempt " + number(int(a.Number)) + " at " + d.Endpoint, say("outcome", a.Outcome).Tone,
				statusText(a.StatusCode), a.StartedAt, milliseconds(a.DurationMS)})
		}
	}
	begin, end := parts[0].at, parts[0].at
	for _, p := range parts {
		if p.at.Before(begin) {
			begin = p.at
		}
		if last := p.at.Add(p.took); last.After(end) {
			end = last
		}
	}
	whole := max(end.Sub(begin), time.Microsecond)
	t := &trace{ID: e.TraceID, Total: span(whole)}
	for _, p := range parts {
		line := traceLine{Name: p.name, Tone: p.tone, Detail: p.detail, After: later(p.at.Sub(begin)),
			X:     traceWidth * float64(p.at.Sub(begin)) / float64(whole),
			Width: traceWidth * float64(p.took) / float64(whole)}
		if p.took > 0 {
			line.Took = span(p.took)
		}
		line.Width = max(line.Width, 10)
		line.X = min(line.X, traceWidth-line.Width)
		t.Lines = append(t.Lines, line)
	}
	return t, nil
}
