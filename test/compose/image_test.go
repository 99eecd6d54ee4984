package compose

import (
	"bytes"
	"context"
	"debug/elf"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"hooktape/internal/testutil"
)

// instruction is one instruction of a Dockerfile, such as RUN, with its arguments.
type instruction struct{ name, rest string }

// stages parses the subset of Dockerfile syntax that this repository uses: comments, continued lines and instructions.
func stages(dockerfile string) (all [][]instruction) {
	joined := ""
	for line := range strings.Lines(dockerfile) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if more, ok := strings.CutSuffix(line, `\`); ok {
			joined += more + " "
			continue
		}
		name, rest, _ := strings.Cut(joined+line, " ")
		joined = ""
		if name == "FROM" {
			all = append(all, nil)
		}
		all[len(all)-1] = append(all[len(all)-1], instruction{name, strings.TrimSpace(rest)})
	}
	return all
}

// argumentsOf returns the arguments of every instruction with this name in a stage.
func argumentsOf(stage []instruction, name string) (list []string) {
	for _, i := range stage {
		if i.name == name {
			list = append(list, i.rest)
		}
	}
	return list
}

// builtImage is the root folder of an image that the build stage produced.
type builtImage struct{ dir string }

var (
	buildOnce sync.Once
	theImage  builtImage
	buildErr  error
)

// image runs the Dockerfile's build stage as plain commands, once per test run.
func image(t *testing.T) builtImage {
	t.Helper()
	buildOnce.Do(func() {
		var dir string
		if dir, buildErr = os.MkdirTemp("", "hooktape-image-"); buildErr == nil {
			theImage.dir = filepath.Join(dir, "image")
			buildErr = build(dir)
		}
	})
	if buildErr != nil {
		t.Fatal(buildErr)
	}
	return theImage
}

func TestMain(m *testing.M) {
	code := m.Run()
	if theImage.dir != "" {
		os.RemoveAll(filepath.Dir(theImage.dir))
	}
	os.Exit(code)
}

// build runs the first stage's RUN lines in a copy of the build context; dir holds their /src and /image.
func build(dir string) error {
	dockerfile, err := os.ReadFile(filepath.Join(root, "Dockerfile"))
	if err != nil {
		return err
	}
	src := filepath.Join(dir, "src")
	if err := copyContext(src); err != nil {
		return err
	}
	stage := stages(string(dockerfile))[0]
	for _, command := range argumentsOf(stage, "RUN") {
		run := exec.Command("sh", "-ec", strings.ReplaceAll(command, "/image/", filepath.Join(dir, "image")+"/"))
		run.Dir, run.Env = src, append(os.Environ(), "VERSION=v1.2.3-test")
		if out, err := run.CombinedOutput(); err != nil {
			return fmt.Errorf("%s: %w\n%s", command, err, out)
		}
	}
	return nil
}

// ignored returns the patterns of .dockerignore. All of them are names in the root folder.
func ignored() (patterns []string, err error) {
	data, err := os.ReadFile(filepath.Join(root, ".dockerignore"))
	for line := range strings.Lines(string(data)) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			patterns = append(patterns, line)
		}
	}
	return patterns, err
}

// copyContext copies the build context: the files that Docker would send to the build.
func copyContext(to string) error {
	patterns, err := ignored()
	if err != nil {
		return err
	}
	files := os.DirFS(root)
	return fs.WalkDir(files, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if slices.ContainsFunc(patterns, func(p string) bool { match, _ := path.Match(p, name); return match }) {
			if entry.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		target := filepath.Join(to, filepath.FromSlash(name))
		if entry.IsDir() {
			return os.MkdirAll(target, 0o755)
		}
		data, err := fs.ReadFile(files, name)
		if err != nil {
			return err
		}
		return os.WriteFile(target, data, 0o644)
	})
}

func (b builtImage) program() string { return filepath.Join(b.dir, "usr/local/bin/hooktape") }

// run runs the image's program and returns its output.
func (b builtImage) run(t *testing.T, env []string, args ...string) string {
	t.Helper()
	command := exec.Command(b.program(), args...)
	command.Env = env
	out, err := command.CombinedOutput()
	if err != nil {
		t.Errorf("hooktape %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// TestImageProgram verifies that the build stage produces one small static program that prints the version it was built
// with.
func TestImageProgram(t *testing.T) {
	b := image(t)
	const most = 80_000_000
	size := int64(0)
	err := filepath.WalkDir(b.dir, func(_ string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		info, err := entry.Info()
		size += info.Size()
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	const certificates = 250_000
	if size += certificates; size > most {
		t.Errorf("the image has %d bytes, want at most %d", size, most)
	}
	t.Logf("the image has %.1f MB", float64(size)/1e6)
	data, err := os.ReadFile(b.program())
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(data, []byte("v1.2.3-test")) {
		t.Error("the program does not print its version")
	}
	if runtime.GOOS != "linux" {
		return
	}
	file, err := elf.NewFile(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	if libraries, _ := file.ImportedLibraries(); len(libraries) > 0 ||
		slices.ContainsFunc(file.Progs, func(p *elf.Prog) bool {
			return p.Type == elf.PT_INTERP
		}) {
		t.Errorf("the program is not static: %v", libraries)
	}
}

// TestDockerfile verifies that the image does not run as root, has its health check, volume and certificates, and is
// built with the flags of `make build`.
func TestDockerfile(t *testing.T) {
	all := stages(text(t, "Dockerfile"))
	if len(all) != 2 || all[1][0].rest != "scratch" {
		t.Fatalf("got stages %v", all)
	}
	release := regexp.MustCompile(`^golang:([0-9]+\.[0-9]+)\.[0-9]+-alpine AS build$`).FindStringSubmatch(all[0][0].rest)
	if release == nil || !strings.Contains(text(t, "go.mod"), "\ngo "+release[1]+".") {
		t.Errorf("built on %s, want the Go release of go.mod", all[0][0].rest)
	}
	made := regexp.MustCompile(`(?m)^build := (.*) -o bin/$`).FindStringSubmatch(text(t, "Makefile"))
	if made == nil {
		t.Fatal("no build flags found in the Makefile")
	}
	flags := strings.NewReplacer("'", `"`, "$(version)", "$VERSION").Replace(made[1])
	if !slices.ContainsFunc(argumentsOf(all[0], "RUN"), func(run string) bool {
		return strings.HasPrefix(run, flags+" -o ")
	}) {
		t.Errorf("no RUN has the flags %s", flags)
	}
	last := all[1]
	for name, want := range map[string]string{"USER": "10001:10001", "ENTRYPOINT": `["hooktape"]`,
		"VOLUME": "/var/lib/hooktape"} {
		if got := argumentsOf(last, name); !slices.Equal(got, []string{want}) {
			t.Errorf("%s is %v, want %s", name, got, want)
		}
	}
	if probe := argumentsOf(last, "HEALTHCHECK"); len(probe) != 1 ||
		!strings.HasSuffix(probe[0], `CMD ["hooktape", "healthcheck"]`) {
		t.Errorf("HEALTHCHECK is %v", probe)
	}
	// The image sets the same variables as the services, so that a container started without Compose behaves the same.
	for _, s := range hooktapeServices(project(t)) {
		for _, pair := range strings.Fields(argumentsOf(last, "ENV")[0]) {
			if name, want, _ := strings.Cut(pair, "="); strings.HasPrefix(name, "HOOKTAPE_") &&
				value(t, s, name) != want {
				t.Errorf("%s has %s=%s, the image %s", s.Name, name, value(t, s, name), want)
			}
		}
	}
	patterns, err := ignored()
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{".env", "hooktape.env", "data", ".git"} {
		if !slices.Contains(patterns, secret) {
			t.Errorf(".dockerignore does not keep %s out of the build", secret)
		}
	}
}

// TestCommands verifies that the program knows the commands of the services, and can read the mounted configuration
// with the services' variables.
func TestCommands(t *testing.T) {
	b, p := image(t), project(t)
	for _, s := range hooktapeServices(p) {
		b.run(t, nil, append(slices.Clone(s.Command), "--help")...)
		if s.HealthCheck != nil && !s.HealthCheck.Disable {
			b.run(t, nil, append(slices.Clone(s.HealthCheck.Test[2:]), "--help")...)
		}
		config, err := filepath.Abs(filepath.Join(root, "deploy/hooktape/hooktape.yaml"))
		if err != nil {
			t.Fatal(err)
		}
		said := b.run(t, append(environment(s), "HOOKTAPE_CONFIG="+config), "sources")
		if want := "demo\thttp://0.0.0.0:8080/hooks/demo/" + value(t, s, "HOOKTAPE_DEMO_TOKEN") + "\n"; said != want {
			t.Errorf("%s lists the sources %q, want %q", s.Name, said, want)
		}
	}
}

// TestHealthcheck runs the service ingest without a ClickHouse and runs that service's health check against it.
func TestHealthcheck(t *testing.T) {
	b, s := image(t), project(t).Services["ingest"]
	config, err := filepath.Abs(filepath.Join(root, "deploy/hooktape/hooktape.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	addr, nobody := freeAddr(t), freeAddr(t)
	env := append(environment(s), "HOOKTAPE_CONFIG="+config, "HOOKTAPE_DATA="+t.TempDir(), "HOOKTAPE_INGEST_ADDR="+addr,
		"HOOKTAPE_API_ADDR="+nobody, "HOOKTAPE_CLICKHOUSE_DSN=http://127.0.0.1:1/hooktape",
		"OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:1")
	probe := func() (said string, err error) {
		command := exec.Command(b.program(), s.HealthCheck.Test[2:]...)
		command.Env = env
		out, err := command.CombinedOutput()
		return string(out), err
	}
	if said, err := probe(); err == nil || !strings.Contains(said, "no hooktape listens") {
		t.Errorf("before it runs: %v, %s", err, said)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var log bytes.Buffer
	ingest := exec.CommandContext(ctx, b.program(), s.Command...)
	ingest.Env, ingest.Stdout, ingest.Stderr = env, &log, &log
	if err := ingest.Start(); err != nil {
		t.Fatal(err)
	}
	for !answers(addr) {
		if ctx.Err() != nil {
			ingest.Wait()
			t.Fatalf("the ingest does not start: %s", &log)
		}
		time.Sleep(20 * time.Millisecond)
	}
	if said, err := probe(); err != nil || said != "ingest: ok\n" {
		t.Errorf("while it runs: %v, %s", err, said)
	}
	if err := ingest.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := ingest.Wait(); err != nil {
		t.Errorf("ingest ended with %v: %s", err, &log)
	}
	if _, err := probe(); err == nil {
		t.Error("the health check passes after ingest has ended")
	}
}

func answers(addr string) bool {
	response, err := http.Get("http://" + addr + "/healthz")
	if err != nil {
		return false
	}
	response.Body.Close()
	return response.StatusCode == http.StatusOK
}

func freeAddr(t *testing.T) string {
	t.Helper()
	addr, err := testutil.FreeAddr()
	if err != nil {
		t.Fatal(err)
	}
	return addr
}
