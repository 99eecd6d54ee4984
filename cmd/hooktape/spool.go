package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"time"

	"hooktape/event"
	"hooktape/replay/api"
	"hooktape/spool"
)

type spoolCmd struct {
	Stat spoolStatCmd `cmd:"" help:"Tell what waits on disk (hooktape must not be running)."`
	Dump spoolDumpCmd `cmd:"" help:"Print what waits on disk as NDJSON (hooktape must not be running)."`
}

// spools is the directory of all spools.
func (c *cli) spools() string { return filepath.Join(c.Data, "spool") }

// eventSpool is the directory of the spool between ingest and its drain.
func (c *cli) eventSpool() string { return filepath.Join(c.spools(), "events") }

func (e *env) inspect() (*spool.Inspection, error) {
	dir := e.cli.eventSpool()
	i, err := spool.Inspect(dir)
	switch {
	case errors.Is(err, spool.ErrLocked):
		return nil, fmt.Errorf("%s is in use: stop hooktape first, or ask its /readyz", dir)
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("there is no spool at %s; --data names the directory that holds it", dir)
	}
	return i, err
}

type spoolStatCmd struct {
	JSON bool `name:"json" help:"Print JSON."`
}

// Run tells what waits.
func (c spoolStatCmd) Run(e *env) error {
	i, err := e.inspect()
	if err != nil {
		return err
	}
	defer i.Close()
	stat := i.Stat()
	if c.JSON {
		return printJSON(e.stdout, map[string]any{"id": i.ID(), "events": stat.Records, "bytes": stat.Bytes, "oldest": stat.Oldest,
			"appended": stat.Appended, "stored": stat.Acked, "damaged": stat.Damaged})
	}
	fmt.Fprintf(e.stdout, "spool     %s\nwaiting   %s, %d bytes\noldest    %s\nappended  %d since it was made\nstored    %d\n",
		e.cli.eventSpool(), plural(stat.Records, "event"), stat.Bytes, local(stat.Oldest), stat.Appended, stat.Acked)
	for _, d := range stat.Damaged {
		fmt.Fprintf(e.stdout, "damaged   %+v\n", d)
	}
	return nil
}

type spoolDumpCmd struct{}

// Run prints what waits, a line an event.
func (spoolDumpCmd) Run(e *env) error {
	i, err := e.inspect()
	if err != nil {
		return err
	}
	defer i.Close()
	out := bufio.NewWriter(e.stdout)
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	for r, err := range i.Records() {
		if err != nil {
			return errors.Join(out.Flush(), err)
		}
		line := spooledJSON{Seq: r.Seq, Appended: r.Appended}
		ev := &event.Event{}
		if err := ev.Unmarshal(r.Data); err != nil {
			line.Error, line.Record = err.Error(), r.Data
		} else {
			whole := api.WholeEvent(ev, nil)
			line.Event = &whole
		}
		if err := encoder.Encode(line); err != nil {
			return err
		}
	}
	return out.Flush()
}

// spooledJSON is a line of the dump.
type spooledJSON struct {
	Seq      uint64     `json:"seq"`
	Appended time.Time  `json:"appended_at"`
	Event    *api.Event `json:"event,omitempty"`
	Error    string     `json:"error,omitempty"`  // why the record is no event
	Record   []byte     `json:"record,omitempty"` // then: its bytes, base64
}
