package main

import (
	"fmt"
	"io"
	"text/tabwriter"
)

// row is what became of the requests under one fault.
type row struct {
	fault        string
	sent         int
	acknowledged int  // answered with 200
	refused      int  // answered otherwise
	stored       int  // different ids in ClickHouse
	lost         int  // acknowledged, and not there
	reported     int  // lost, as the spool says that it found itself damaged
	uncounted    bool // the spool says that it has lost more than it can count
	duplicated   int  // there once too often
	altered      int  // there, and not what was sent
	unasked      int  // there, and never acknowledged: the answer was lost, or the sender would send it again
}

func (r *row) add(other row) {
	r.sent += other.sent
	r.acknowledged += other.acknowledged
	r.refused += other.refused
	r.stored += other.stored
	r.lost += other.lost
	r.reported += other.reported
	r.duplicated += other.duplicated
	r.altered += other.altered
	r.unasked += other.unasked
}

// broken says what of the promise was not kept.
func (r *row) broken() error {
	if silently := r.lost - r.reported; silently > 0 && !r.uncounted || r.duplicated+r.altered > 0 {
		return fmt.Errorf("%d lost, %d of them reported, %d duplicated, %d altered", r.lost, r.reported, r.duplicated, r.altered)
	}
	return nil
}

func printStored(out io.Writer, rows []row) {
	if len(rows) == 0 {
		return
	}
	all := row{fault: "all"}
	for _, r := range rows {
		all.add(r)
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "\nfault\tsent\tacknowledged\trefused\tstored\tLOST\treported\tDUPLICATED\taltered\tnot acknowledged, yet stored\t")
	for _, r := range append(rows, all) {
		fmt.Fprintf(table, "%s\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t\n", r.fault, r.sent, r.acknowledged, r.refused, r.stored,
			r.lost, r.reported, r.duplicated, r.altered, r.unasked)
	}
	table.Flush()
}
