package fetch

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha512"
	"encoding/base64"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/dustin/go-humanize"
	"golang.org/x/sync/errgroup"

	"hooktape/internal/testutil"
)

// engine is the content of libchdb.so in the fake npm package.
const engine = "the engine"

// fakeNPM puts an npm into PATH that is a shell script, and makes it the source of this machine's build. The script has
// the tarball's path in $tarball and npm's arguments as its own; $4 is the value of --pack-destination.
func fakeNPM(t *testing.T, script string) (cache string) {
	t.Helper()
	return fakePackage(t, script, "package/libchdb.so")
}

// fakePackage is fakeNPM with another place of the library in the package.
func fakePackage(t *testing.T, script, library string) (cache string) {
	t.Helper()
	tarball := pack(t, library)
	data, err := os.ReadFile(tarball)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha512.Sum512(data)
	system := runtime.GOOS + "-" + runtime.GOARCH
	saved := builds[system]
	t.Cleanup(func() { builds[system] = saved })
	builds[system] = build{npm: "fake", integrity: "sha512-" + base64.StdEncoding.EncodeToString(sum[:]),
		packed: int64(len(data)), library: int64(len(engine))}
	bin := t.TempDir()
	if err := os.WriteFile(filepath.Join(bin, "npm"), []byte("#!/bin/sh\ntarball="+tarball+"\n"+script+"\n"),
		0o755); err != nil {
		t.Fatal(err)
	}
	cache = t.TempDir()
	t.Setenv("PATH", bin+":/bin:/usr/bin")
	t.Setenv("XDG_CACHE_HOME", cache)
	return cache
}

// pack writes a package in npm's format.
func pack(t *testing.T, library string) string {
	t.Helper()
	var packed bytes.Buffer
	zipped := gzip.NewWriter(&packed)
	archive := tar.NewWriter(zipped)
	for _, file := range []struct{ name, text string }{{"package/index.js", "x"}, {library, engine}} {
		if err := archive.WriteHeader(&tar.Header{Name: file.name, Size: int64(len(file.text)),
			Typeflag: tar.TypeReg}); err != nil {
			t.Fatal(err)
		}
		archive.Write([]byte(file.text))
	}
	archive.Close()
	zipped.Close()
	path := filepath.Join(t.TempDir(), "lib.tgz")
	if err := os.WriteFile(path, packed.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func run(t *testing.T, force bool) (string, error) {
	t.Helper()
	var out bytes.Buffer
	err := Run(t.Context(), force, &out)
	return out.String(), err
}

func TestFetch(t *testing.T) {
	cache := fakeNPM(t, `cp $tarball "$4/lib.tgz"`)
	out, err := run(t, false)
	if err != nil ||
		!strings.HasPrefix(out, "fetching the engine, "+
			humanize.Bytes(uint64(builds[runtime.GOOS+"-"+runtime.GOARCH].packed))+", once\n") ||
		!strings.Contains(out, "the engine is ready") {
		t.Fatalf("got %q, %v", out, err)
	}
	library, err := LibraryPath()
	if err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(library); err != nil || string(text) != engine {
		t.Errorf("got engine %q, %v", text, err)
	}
	if left, _ := filepath.Glob(filepath.Join(cache, "hooktape", "fetch-*")); len(left) > 0 {
		t.Errorf("leftover files: %v", left)
	}
	if out, err := run(t, false); err != nil || out != "the engine is there: "+library+"\n" {
		t.Errorf("second run: got %q, %v", out, err)
	}
	if err := os.WriteFile(library, []byte("the_engine"), 0o755); err != nil { // same size, other bytes
		t.Fatal(err)
	}
	if _, err := run(t, true); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(library); err != nil || string(text) != engine {
		t.Errorf("with force: got engine %q, %v", text, err)
	}
	// A torn file has another size: fetch replaces it without --force.
	if err := os.WriteFile(library, []byte("the"), 0o755); err != nil {
		t.Fatal(err)
	}
	if out, err := run(t, false); err != nil || !strings.Contains(out, "the engine is ready") {
		t.Errorf("over a torn file: got %q, %v", out, err)
	}
}

func TestFetchFails(t *testing.T) {
	for _, c := range []struct{ name, script, want string }{
		{"npm failing", "echo 'npm error code ENOTFOUND' >&2; exit 1",
			"exit status 1): npm error code ENOTFOUND; check the network"},
		{"wrong checksum", `echo other > "$4/lib.tgz"`, "nothing was installed"},
		{"no tarball", "true", "0 tarballs"},
		{"npm talkative", "yes 'npmé!!' 2>&1 | head -c 1000000 >&2; exit 1", "npmé!! npm…; check the network"}, // cut within é
	} {
		t.Run(c.name, func(t *testing.T) {
			cache := fakeNPM(t, c.script)
			_, err := run(t, false)
			if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("got error %v, want one line with %q", err, c.want)
			}
			library, _ := LibraryPath()
			if _, err := os.Stat(library); err == nil {
				t.Error("an engine was installed")
			}
			if left, _ := filepath.Glob(filepath.Join(cache, "hooktape", "fetch-*")); len(left) > 0 {
				t.Errorf("leftover files: %v", left)
			}
		})
	}
	t.Run("no library", func(t *testing.T) {
		fakePackage(t, `cp $tarball "$4/lib.tgz"`, "package/other.so")
		if _, err := run(t, false); err == nil || !strings.Contains(err.Error(), "the package has no libchdb.so") {
			t.Errorf("got error %v", err)
		}
	})
	t.Run("npm missing", func(t *testing.T) {
		fakeNPM(t, "")
		t.Setenv("PATH", t.TempDir())
		if _, err := run(t, false); err == nil || !strings.Contains(err.Error(), "npm is not installed") {
			t.Errorf("got error %v", err)
		}
	})
	t.Run("unknown system", func(t *testing.T) {
		fakeNPM(t, "")
		delete(builds, runtime.GOOS+"-"+runtime.GOARCH)
		if _, err := run(t, false); err == nil || !strings.Contains(err.Error(), "there is no engine for") {
			t.Errorf("got error %v", err)
		}
	})
}

// TestFetchAtOnce: processes that fetch at the same time do not disturb one another.
func TestFetchAtOnce(t *testing.T) {
	cache := fakeNPM(t, `cp $tarball "$4/lib.tgz"; touch $0.$$; until [ $(ls $0.* | wc -l) -ge 3 ]; do sleep 0.01; done`)
	ctx, cancel := context.WithTimeout(t.Context(), testutil.Patience)
	defer cancel()
	var fetches errgroup.Group
	for range 3 {
		fetches.Go(func() error { return Run(ctx, true, io.Discard) })
	}
	if err := fetches.Wait(); err != nil {
		t.Error(err)
	}
	library, _ := LibraryPath()
	if text, err := os.ReadFile(library); err != nil || string(text) != engine {
		t.Errorf("got engine %q, %v", text, err)
	}
	if left, _ := filepath.Glob(filepath.Join(cache, "hooktape", "fetch-*")); len(left) > 0 {
		t.Errorf("leftover files: %v", left)
	}
}

// TestLeftovers: what a killed fetch left is removed by a later one, but not what another fetch is writing.
func TestLeftovers(t *testing.T) {
	cache := fakeNPM(t, `cp $tarball "$4/lib.tgz"`)
	killed, running := filepath.Join(cache, "hooktape", "fetch-1"), filepath.Join(cache, "hooktape", "fetch-2")
	for _, dir := range []string{killed, running} {
		if err := os.MkdirAll(filepath.Join(dir, "npm"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	before := time.Now().Add(-leftoverAge - time.Minute)
	if err := os.Chtimes(killed, before, before); err != nil {
		t.Fatal(err)
	}
	if _, err := run(t, false); err != nil {
		t.Fatal(err)
	}
	if left, _ := filepath.Glob(filepath.Join(cache, "hooktape", "fetch-*")); len(left) != 1 || left[0] != running {
		t.Errorf("there are %v, want %s", left, running)
	}
}
