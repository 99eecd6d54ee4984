package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"hooktape/internal/testutil"
)

// TestDamagedSpool flips a bit in a spool and verifies that all commands that read it report the damage, that the next
// start saves the readable records and accepts webhooks, and that the commands then report the saved records.
func TestDamagedSpool(t *testing.T) {
	t.Parallel()
	i := newInstance(t, noClickHouse)
	writeConfig(t, i)
	i.start("ingest")
	hook := i.hookURL() + "/start"
	for range 20 {
		i.post(hook, []byte(`{"user_id":1}`))
	}
	i.stop()

	dir := filepath.Join(i.dir, "spool", "events")
	image, err := testutil.ReadFiles(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range image.Names() {
		if testutil.FileKind(name) == "db/#.log" && len(image[name]) > 0 {
			image = image.Flip(name, 8*(len(image[name])/2))
		}
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if err := image.Store(dir); err != nil {
		t.Fatal(err)
	}
	if r := i.try("spool", "stat"); r.code == 0 || !strings.Contains(r.out, "events  damaged") ||
		!strings.Contains(r.err, "start hooktape again") {
		t.Errorf("spool stat: %+v", r)
	}
	if out := i.try("doctor").out; !strings.Contains(out, "spool: damaged") {
		t.Errorf("doctor:\n%s", out)
	}

	i.start("ingest")
	i.post(hook, []byte(`{"user_id":2}`))
	i.stop()
	if said := i.output.String(); !strings.Contains(said, "level=ERROR msg=\"spool: damaged database quarantined\"") {
		t.Errorf("the start logged\n%s", said)
	}
	var list []spoolStat
	if err := json.Unmarshal([]byte(i.cli("spool", "stat", "--json")), &list); err != nil {
		t.Fatal(err)
	}
	if s := list[0]; len(s.Damaged) != 1 || s.Waiting+s.Damaged[0].Lost != 21 || s.Damaged[0].Lost == 0 ||
		s.Damaged[0].Path == "" {
		t.Errorf("spool stat: %+v", s)
	}
	if out := i.cli("spool", "stat"); !strings.Contains(out, "records salvaged, ") ||
		!strings.Contains(out, "set aside in "+dir) {
		t.Errorf("spool stat:\n%s", out)
	}
	if n := strings.Count(i.cli("spool", "dump"), "\n"); n != int(list[0].Waiting) {
		t.Errorf("spool dump printed %d lines for %d waiting events", n, list[0].Waiting)
	}
	if out := i.try("doctor").out; !strings.Contains(out, "1 damaged database set aside") {
		t.Errorf("doctor:\n%s", out)
	}
}
