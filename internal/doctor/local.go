package doctor

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/dustin/go-humanize/english"
	"golang.org/x/sys/unix"

	"hooktape/internal/config"
	"hooktape/internal/server"
	"hooktape/internal/spool"
)

func invalidConfig(err error) (list []Finding) {
	for _, err := range config.Errors(err) {
		list = append(list, bad("correct it; hooktape.example.yaml explains every key", "%v", err))
	}
	return list
}

func (d *doctor) configuration(context.Context) []Finding {
	path := d.File.Path
	list := []Finding{ok("%s: %s, %s", path, english.Plural(len(d.cfg.Sources), "source", ""),
		english.Plural(len(d.cfg.Endpoints), "endpoint", ""))}
	if info, err := os.Stat(path); err == nil && info.Mode().Perm()&0o007 != 0 {
		list = append(list, warn("chmod o-rwx "+path, "everybody on this machine can read it, and it may hold secrets"))
	}
	if len(d.cfg.Sources) == 0 {
		list = append(list, warn("hooktape sources add NAME", "there is no source: nothing can be taken"))
	}
	for _, s := range d.cfg.Sources {
		if s.Forward != nil {
			list = append(list, d.forward(s)...)
		}
	}
	return list
}

// forward checks what a valid configuration of a source that forwards may get wrong.
func (d *doctor) forward(s config.Source) (list []Finding) {
	if missing := s.Forward.MissingInFallback(); len(missing) > 0 {
		list = append(list,
			warn("add them to its forward.fallback.body, empty: BotHelp keeps the old value of a missing key",
				"source %s: the fallback lacks expected keys: %s", s.Name, strings.Join(missing, ", ")))
	}
	for _, e := range d.cfg.DeliveryEndpoints() {
		if e.Name == s.Forward.To && e.Subscribe != nil &&
			(len(e.Subscribe.Sources) == 0 || slices.Contains(e.Subscribe.Sources, s.Name)) {
			list = append(list,
				warn("list the other sources in its subscribe.sources, or forward to an endpoint without "+
					"subscribe",
					"endpoint %s gets each request of the source %s twice: forwarded, and by its subscription", e.Name,
					s.Name))
		}
	}
	return list
}

// private checks whether other users of this machine can read hooktape's files.
func (d *doctor) private(context.Context) (list []Finding) {
	for _, path := range d.File.Data.Private() {
		if path == d.File.Path {
			continue // see configuration
		}
		if info, err := os.Stat(path); err == nil && info.Mode().Perm()&0o077 != 0 {
			list = append(list, warn("start hooktape as the owner, which keeps others out; or chmod -R go= "+path,
				"others on this machine may read %s (%v)", path, info.Mode().Perm()))
		}
	}
	return list
}

// slowSync is an fsync for which a sender waits noticeably; a usual SSD takes a few milliseconds.
const slowSync = 50 * time.Millisecond

// directory writes a temporary file as the spool does.
func (d *doctor) directory(context.Context) []Finding {
	dir := string(d.File.Data)
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return []Finding{warn("it is made at the first start; else name it by --data or HOOKTAPE_DATA",
			"there is none at %s", dir)}
	}
	took, err := trySync(dir)
	switch {
	case errors.Is(err, fs.ErrPermission):
		return []Finding{bad("run doctor as the user that hooktape runs as; or give that user the directory (chown)",
			"%s cannot be written to as %s", dir, userName())}
	case err != nil:
		return []Finding{bad("see what the kernel's log (dmesg) says about this disk", "%v", err)}
	case took > slowSync:
		return []Finding{warn("each webhook waits for one: a faster disk, or less beside it", "%s: an fsync takes %v",
			dir, took.Round(time.Millisecond))}
	}
	return []Finding{ok("%s can be written to; an fsync takes %v", dir, took.Round(100*time.Microsecond))}
}

// trySync returns the median duration of a few writes with fsync.
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

func (d *doctor) disk(context.Context) []Finding {
	var stat unix.Statfs_t
	if err := unix.Statfs(string(d.File.Data), &stat); err != nil {
		return nil // see directory
	}
	free := uint64(stat.Bavail) * uint64(stat.Bsize)
	min := uint64(d.cfg.Spool.MinFree)
	const do = "free some space, or make spool.min_free smaller"
	switch {
	case free < min:
		return []Finding{bad(do, "%s free, less than spool.min_free (%s): webhooks are answered with 503",
			humanize.IBytes(free), humanize.IBytes(min))}
	case free < 2*min:
		return []Finding{warn(do, "%s free; below %s webhooks are answered with 503", humanize.IBytes(free),
			humanize.IBytes(min))}
	}
	return []Finding{ok("%s free", humanize.IBytes(free))}
}

// spools checks for records on disk, unless a running hooktape has the spools locked, and for damaged databases.
func (d *doctor) spools(context.Context) (list []Finding) {
	for _, name := range config.SpoolNames {
		dir := d.File.Data.Spool(name)
		i, err := spool.Inspect(dir)
		_, damaged := errors.AsType[*spool.CorruptionError](err)
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case errors.Is(err, spool.ErrLocked):
			list = append(list, ok("%s: in use by a running hooktape", name))
		case damaged:
			list = append(list, bad("start hooktape: it sets the damaged part aside and saves what can be read",
				"%s: %v", name, err))
		case err != nil:
			list = append(list, bad("run doctor as the user that hooktape runs as", "%s: %v", name, err))
		default:
			list = append(list, waiting(name, i.Stat()))
			_ = i.Close()
		}
		if aside, _ := filepath.Glob(filepath.Join(dir, "damaged-*")); len(aside) > 0 {
			list = append(list, warn("damage.json in each says what was saved; remove them when nothing is missed",
				"%s: %s set aside in %s",
				name, english.Plural(len(aside), "damaged database", ""), dir))
		}
	}
	if list == nil {
		return []Finding{ok("none yet")}
	}
	return list
}

func waiting(name string, stat spool.Stat) Finding {
	if stat.Records == 0 {
		return ok("%s: all is in ClickHouse", name)
	}
	return warn("start hooktape, which brings them there", "%s: %s for ClickHouse, the oldest since %s", name,
		english.Plural(int(stat.Records), "record", ""), localTime(stat.Oldest))
}

// listeners probes whether a running hooktape is ready.
func (d *doctor) listeners(ctx context.Context) (list []Finding) {
	for _, part := range []struct{ name, addr string }{{"the hooks", d.cfg.IngestAddr}, {"the API", d.cfg.APIAddr}} {
		name := part.name + " at " + part.addr
		switch err := server.Check(ctx, name, part.addr, "/readyz"); {
		case err == nil:
			list = append(list, ok("%s: ready", name))
			if trouble := drainError(ctx, part.addr); trouble != "" {
				list = append(list, warn("see hooktape's log", "%s: %s", name, trouble))
			}
		case !server.Refused(err):
			list = append(list, bad("see hooktape's log; or is it another program that listens there?", "%v", err))
		}
	}
	if list == nil {
		return []Finding{bad("start it", "hooktape does not run here: nothing listens at %s and %s", d.cfg.IngestAddr,
			d.cfg.APIAddr)}
	}
	return list
}

// drainError returns the reason why events are not stored, by the answer of a ready listener; "" if they are stored.
func drainError(ctx context.Context, addr string) string {
	_, said, err := server.Probe(ctx, addr, "/readyz")
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

// localTime writes a time in the machine's zone, which it names.
func localTime(t time.Time) string { return t.Local().Format("2006-01-02 15:04:05 MST") }

func userName() string {
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return "this user"
}
