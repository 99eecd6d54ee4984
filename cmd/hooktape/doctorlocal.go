package main

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/dustin/go-humanize"
	"golang.org/x/sys/unix"

	"hooktape/internal/spool"
)

func wrongConfig(err error) (list []finding) {
	for _, err := range unjoin(err) {
		list = append(list, bad("mend it; hooktape.example.yaml explains every key", "%v", err))
	}
	return list
}

func (d *doctor) configuration(context.Context) []finding {
	path := d.cli.configPath()
	list := []finding{ok("%s: %s, %s", path, plural(uint64(len(d.cfg.Sources)), "source"), plural(uint64(len(d.cfg.Endpoints)), "endpoint"))}
	if info, err := os.Stat(path); err == nil && info.Mode().Perm()&0o007 != 0 {
		list = append(list, warn("chmod o-rwx "+path, "everybody on this machine can read it, and it may hold secrets"))
	}
	if len(d.cfg.Sources) == 0 {
		list = append(list, warn("hooktape sources add NAME", "there is no source: nothing can be taken"))
	}
	return list
}

// private looks whether others on this machine can read what hooktape keeps.
func (d *doctor) private(context.Context) (list []finding) {
	for _, name := range privateNames {
		path := filepath.Join(d.cli.Data, name)
		if path == d.cli.configPath() {
			continue // configuration looks at it
		}
		if info, err := os.Stat(path); err == nil && info.Mode().Perm()&0o077 != 0 {
			list = append(list, warn("start hooktape as the owner, which keeps others out; or chmod -R go= "+path, "others on this machine may read %s (%v)", path, info.Mode().Perm()))
		}
	}
	return list
}

// slowSync is what makes a sender wait noticeably; a usual SSD takes a few milliseconds.
const slowSync = 50 * time.Millisecond

// directory tries what the spool needs of the data directory, with a file of its own that is gone afterwards.
func (d *doctor) directory(context.Context) []finding {
	dir := d.cli.Data
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return []finding{warn("it is made at the first start; else name it by --data or HOOKTAPE_DATA", "there is none at %s", dir)}
	}
	took, err := trySync(dir)
	switch {
	case errors.Is(err, fs.ErrPermission):
		return []finding{bad("run doctor as the user that hooktape runs as; or give that user the directory (chown)", "%s cannot be written to as %s", dir, whoami())}
	case err != nil:
		return []finding{bad("see what the kernel's log (dmesg) says about this disk", "%v", err)}
	case took > slowSync:
		return []finding{warn("each webhook waits for one: a faster disk, or less beside it", "%s: an fsync takes %v", dir, took.Round(time.Millisecond))}
	}
	return []finding{ok("%s can be written to; an fsync takes %v", dir, took.Round(100*time.Microsecond))}
}

// trySync is the median of some writes with fsync.
func trySync(dir string) (time.Duration, error) {
	file, err := os.CreateTemp(dir, ".doctor-")
	if err != nil {
		return 0, err
	}
	defer os.Remove(file.Name())
	defer file.Close()
	var times []time.Duration
	for range 9 {
		begun := time.Now()
		if _, err := file.Write(make([]byte, 4096)); err != nil {
			return 0, err
		}
		if err := file.Sync(); err != nil {
			return 0, err
		}
		times = append(times, time.Since(begun))
	}
	slices.Sort(times)
	return times[len(times)/2], nil
}

func (d *doctor) disk(context.Context) []finding {
	var stat unix.Statfs_t
	if err := unix.Statfs(d.cli.Data, &stat); err != nil {
		return nil // directory has said it
	}
	free, min := uint64(stat.Bavail)*uint64(stat.Bsize), uint64(d.cfg.Spool.MinFree)
	const do = "free some space, or make spool.min_free smaller"
	switch {
	case free < min:
		return []finding{bad(do, "%s free, less than spool.min_free (%s): webhooks are answered with 503", humanize.IBytes(free), humanize.IBytes(min))}
	case free < 2*min:
		return []finding{warn(do, "%s free; below %s webhooks are answered with 503", humanize.IBytes(free), humanize.IBytes(min))}
	}
	return []finding{ok("%s free", humanize.IBytes(free))}
}

// spools looks at what waits on disk, which a running hooktape keeps to itself, and at what was set aside.
func (d *doctor) spools(context.Context) (list []finding) {
	for _, name := range spoolNames {
		dir := filepath.Join(d.cli.spools(), name)
		i, err := spool.Inspect(dir)
		_, damaged := errors.AsType[*spool.CorruptionError](err)
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case errors.Is(err, spool.ErrLocked):
			list = append(list, ok("%s: in use by a running hooktape", name))
		case damaged:
			list = append(list, bad("start hooktape: it sets the damaged part aside and saves what can be read", "%s: %v", name, err))
		case err != nil:
			list = append(list, bad("run doctor as the user that hooktape runs as", "%s: %v", name, err))
		default:
			list = append(list, waiting(name, i.Stat()))
			_ = i.Close()
		}
		if aside, _ := filepath.Glob(filepath.Join(dir, "damaged-*")); len(aside) > 0 {
			list = append(list, warn("damage.json in each says what was saved; remove them when nothing is missed", "%s: %s set aside in %s",
				name, plural(uint64(len(aside)), "damaged database"), dir))
		}
	}
	if list == nil {
		return []finding{ok("none yet")}
	}
	return list
}

func waiting(name string, stat spool.Stat) finding {
	if stat.Records == 0 {
		return ok("%s: all is in ClickHouse", name)
	}
	return warn("start hooktape, which brings them there", "%s: %s for ClickHouse, the oldest since %s", name, plural(stat.Records, "record"), local(stat.Oldest))
}

// listeners asks a running hooktape, if one runs, whether it is ready.
func (d *doctor) listeners(ctx context.Context) (list []finding) {
	for _, part := range []struct{ name, addr string }{{"the hooks", d.cfg.IngestAddr}, {"the API", d.cfg.APIAddr}} {
		name := part.name + " at " + part.addr
		switch err := ask(ctx, name, part.addr, "/readyz"); {
		case err == nil:
			list = append(list, ok("%s: ready", name))
			if trouble := troubleOf(ctx, part.addr); trouble != "" {
				list = append(list, warn("see hooktape's log", "%s: %s", name, trouble))
			}
		case !refusedConnection(err):
			list = append(list, bad("see hooktape's log; or is it another program that listens there?", "%v", err))
		}
	}
	if list == nil {
		return []finding{bad("start it", "hooktape does not run here: nothing listens at %s and %s", d.cfg.IngestAddr, d.cfg.APIAddr)}
	}
	return list
}

// troubleOf is what a listener that is ready says of why events are not stored; "" when they are.
func troubleOf(ctx context.Context, addr string) string {
	_, said, err := probe(ctx, addr, "/readyz")
	var body struct {
		Drain struct {
			Error string `json:"error"`
		} `json:"drain"`
	}
	if err != nil || json.Unmarshal([]byte(said), &body) != nil {
		return ""
	}
	return body.Drain.Error
}
