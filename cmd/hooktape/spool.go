package main

import (
	"bufio"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"github.com/google/uuid"

	"hooktape/internal/config"
	"hooktape/internal/event"
	"hooktape/internal/spool"
	"hooktape/web/api"
)

type spoolCmd struct {
	Stat spoolStatCmd `cmd:"" help:"Show how many records wait on disk (hooktape must not be running)."`
	Dump spoolDumpCmd `cmd:"" help:"Print the events, and the attempts to forward some, that wait on disk as NDJSON (hooktape must not be running)."`
}

// inspect opens a spool read-only. A data directory has only the spools of the parts that ran there.
func (e *env) inspect(name string) (*spool.Inspection, error) {
	dir := e.data().Spool(name)
	i, err := spool.Inspect(dir)
	switch {
	case errors.Is(err, spool.ErrLocked):
		return nil, fmt.Errorf("%s is in use: stop hooktape first, or ask its /readyz", dir)
	case errors.Is(err, fs.ErrNotExist):
		return nil, noSpoolError(dir)
	}
	return i, err
}

// noSpoolError is the path of a spool that does not exist.
type noSpoolError string

func (e noSpoolError) Error() string {
	return fmt.Sprintf("there is no spool at %s; --data names the directory that holds it", string(e))
}

type spoolStatCmd struct {
	JSON bool `name:"json" help:"Print JSON."`
}

// spoolStat describes one spool.
type spoolStat struct {
	Name     string    `json:"name"`
	ID       string    `json:"id"`
	Waiting  uint64    `json:"waiting"` // records
	Bytes    uint64    `json:"bytes"`
	Oldest   time.Time `json:"oldest,omitzero"`
	Appended uint64    `json:"appended"`
	Stored   uint64    `json:"stored"`
	// Damaged are the databases that were set aside. Error says that the one in use is damaged: the next start salvages
	// it.
	Damaged []spool.Damage `json:"damaged"`
	Error   string         `json:"error,omitempty"`
}

// Run prints what waits on disk.
func (c spoolStatCmd) Run(e *env) error {
	var list []spoolStat
	var missing, damaged error
	for _, name := range config.SpoolNames {
		i, err := e.inspect(name)
		if _, ok := errors.AsType[noSpoolError](err); ok {
			missing = cmp.Or(missing, err)
			continue
		}
		if _, ok := errors.AsType[*spool.CorruptionError](err); ok {
			damaged = cmp.Or(damaged, err)
			list = append(list, spoolStat{Name: name, Error: err.Error()})
			continue
		}
		if err != nil {
			return err
		}
		s := i.Stat()
		list = append(list, spoolStat{name, i.ID(), s.Records, s.Bytes, s.Oldest, s.Appended, s.Acked, s.Damaged, ""})
		if err := i.Close(); err != nil {
			return err
		}
	}
	if len(list) == 0 {
		return missing
	}
	if c.JSON {
		return errors.Join(printJSON(e.stdout, list), damaged)
	}
	t := newTable(e.stdout, "SPOOL", "WAITING", "BYTES", "OLDEST", "APPENDED", "STORED")
	for _, s := range list {
		if s.Error != "" {
			t.row(s.Name, "damaged", "", "", "", "")
			continue
		}
		t.row(s.Name, fmt.Sprint(s.Waiting), fmt.Sprint(s.Bytes), local(s.Oldest), fmt.Sprint(s.Appended),
			fmt.Sprint(s.Stored))
	}
	if err := t.end(); err != nil {
		return err
	}
	for _, s := range list {
		for _, d := range s.Damaged {
			fmt.Fprintf(e.stdout, "%s: damage found %s: %d records salvaged, %d lost", s.Name, local(d.Found),
				d.Salvaged, d.Lost)
			if len(d.Unreadable) > 0 {
				fmt.Fprintf(e.stdout, ", not whole %s", strings.Join(d.Unreadable, " "))
			}
			fmt.Fprintf(e.stdout, "; set aside in %s: %s\n", d.Path, d.Reason)
		}
	}
	return damaged
}

type spoolDumpCmd struct{}

// Run prints each waiting event as a line of JSON.
func (spoolDumpCmd) Run(e *env) error {
	i, err := e.inspect(config.EventSpool)
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
		var record event.Record
		if err := record.Unmarshal(r.Data); err != nil {
			line.Error, line.Record = err.Error(), r.Data
		} else {
			if record.Outcome != nil {
				attempt := api.WholeAttempt(*record.Outcome)
				line.Attempt = &attempt
			}
			if record.ID != uuid.Nil || record.Outcome == nil {
				whole := api.WholeEvent(&event.Event{Received: record.Received}, nil)
				line.Event = &whole
			}
		}
		if err := encoder.Encode(line); err != nil {
			return err
		}
	}
	return out.Flush()
}

// spooledJSON is a line of the dump.
type spooledJSON struct {
	Seq      uint64       `json:"seq"`
	Appended time.Time    `json:"appended_at"`
	Event    *api.Event   `json:"event,omitempty"`
	Attempt  *api.Attempt `json:"attempt,omitempty"` // of a forwarded request
	Error    string       `json:"error,omitempty"`   // why the record is no event
	Record   []byte       `json:"record,omitempty"`  // then: its bytes, base64
}
