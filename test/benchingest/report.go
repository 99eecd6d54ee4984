package main

import (
	"fmt"
	"text/tabwriter"
	"time"
)

// figure is a result with its target.
type figure struct {
	name   string
	value  string
	target string
	mark   string
}

// target is the target of a figure.
type target struct {
	text    string
	reached func(float64) bool // nil: no target
}

var nothing = target{}

func atLeast(goal float64) target {
	return target{fmt.Sprintf("≥ %v", goal), func(v float64) bool { return v >= goal }}
}

func atMost(goal float64) target {
	return target{fmt.Sprintf("≤ %v", goal), func(v float64) bool { return v <= goal }}
}

// note adds a figure to the table at the end.
func (b *bench) note(name string, value float64, format string, t target) {
	f := figure{name: name, value: fmt.Sprintf(format, value), target: t.text}
	if t.reached != nil {
		f.mark = "✗"
		if t.reached(value) {
			f.mark = "✓"
		}
	}
	b.figures = append(b.figures, f)
}

// rateOf returns the rate of a run, 0 if there was none.
func (b *bench) rateOf(part string, connections int) float64 {
	for _, m := range b.runs {
		if m.part == part && m.connections == connections {
			return m.rate
		}
	}
	return 0
}

// print prints all results.
func (b *bench) print() {
	table := tabwriter.NewWriter(b.out, 0, 0, 2, ' ', tabwriter.AlignRight)
	if len(b.runs) > 0 {
		fmt.Fprintln(table,
			"\npart\tconnections\trequests/s\tp50 ms\tp99 ms\tslowest ms\tCPU s/1,000\tof ClickHouse\tof the "+
				"load\tpeak RSS MiB\tfailed\t")
	}
	for _, m := range b.runs {
		fmt.Fprintf(table, "%s\t%d\t%.0f\t%.2f\t%.2f\t%.1f\t%.3f\t%.3f\t%.3f\t%d\t%d\t\n", m.part, m.connections,
			m.rate, milliseconds(m.p50), milliseconds(m.p99), milliseconds(m.slowest), m.cpu.server.Seconds(),
			m.cpu.engine.Seconds(), m.cpu.load.Seconds(), m.peakRSS>>20, m.failed)
	}
	table.Flush()
	if len(b.columns) > 0 {
		fmt.Fprintln(table, "\ncolumn\tbytes an event\t")
	}
	for _, w := range b.columns {
		fmt.Fprintf(table, "%s\t%.2f\t\n", w.column, w.bytes)
	}
	table.Flush()
	if len(b.figures) > 0 {
		fmt.Fprintln(table, "\nfigure\tmeasured\ttarget\t\t")
	}
	for _, f := range b.figures {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t\n", f.name, f.value, f.target, f.mark)
	}
	table.Flush()
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
