package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"hooktape/internal/chars"
	"hooktape/internal/event"
)

// printJSON writes a value for a script to read.
func printJSON(w io.Writer, v any) error {
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	return encoder.Encode(v)
}

// table writes aligned columns, whose cells are safe for a terminal.
type table struct{ w *tabwriter.Writer }

func newTable(w io.Writer, columns ...string) table {
	t := table{tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)}
	t.row(columns...)
	return t
}

func (t table) row(cells ...string) {
	for i, cell := range cells {
		cells[i] = safe(cell)
	}
	fmt.Fprintln(t.w, strings.Join(cells, "\t"))
}

func (t table) end() error { return t.w.Flush() }

// safe makes text from anyone safe for a terminal: it escapes control characters, and characters that change the
// direction of writing.
func safe(s string) string {
	return mapUnsafe(s, func(r rune) bool { return false })
}

// safeText is safe for text of several lines.
func safeText(s string) string {
	return mapUnsafe(s, func(r rune) bool { return r == '\n' || r == '\t' })
}

func mapUnsafe(s string, allowed func(rune) bool) string {
	if strings.IndexFunc(s, func(r rune) bool { return unsafeRune(r) && !allowed(r) }) < 0 {
		return s
	}
	var b strings.Builder
	for i, r := range s {
		switch {
		case r == unicode.ReplacementChar && !strings.HasPrefix(s[i:], "\uFFFD"):
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case unsafeRune(r) && !allowed(r):
			quoted := strconv.QuoteToASCII(string(r))
			b.WriteString(quoted[1 : len(quoted)-1])
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

func unsafeRune(r rune) bool {
	return r == unicode.ReplacementChar || chars.Hidden(r)
}

// local writes a time for a person: in the machine's zone, which is named.
func local(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.Local().Format("2006-01-02 15:04:05.000 MST")
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

func plural(n uint64, one string) string {
	if n == 1 {
		return "1 " + one
	}
	return strconv.FormatUint(n, 10) + " " + one + "s"
}

// tally returns a line such as "120 events: 118 delivered, 2 failed".
func tally(total uint64, counts map[event.DeliveryState]uint64) string {
	var parts []string
	states := []event.DeliveryState{event.Delivered, event.Failed, event.Cancelled, event.Retrying, event.Unknown,
		event.Delivering, event.Pending}
	for _, state := range states {
		if counts[state] > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", counts[state], state))
		}
	}
	return plural(total, "event") + ": " + strings.Join(parts, ", ")
}

// seconds writes a number of seconds as a duration.
func seconds(n float64) string {
	const most = 1e9 // three decades
	return time.Duration(min(n, most) * float64(time.Second)).Round(time.Second).String()
}
