package main

import (
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
)

// TestManifest checks that the built collector has exactly the components in otel/collector.yaml, in the version that
// docker-compose.yml runs.
func TestManifest(t *testing.T) {
	type modules []struct{ Gomod string }
	var built struct{ Receivers, Processors, Exporters, Extensions modules }
	read(t, "builder.yaml", &built)
	var config struct{ Receivers, Processors, Exporters, Extensions map[string]any }
	read(t, "../../otel/collector.yaml", &config)
	compose, err := os.ReadFile("../../docker-compose.yml")
	if err != nil {
		t.Fatal(err)
	}
	image := regexp.MustCompile(`image: otel/opentelemetry-collector-contrib:(\S+)`).FindSubmatch(compose)
	if image == nil {
		t.Fatal("docker-compose.yml has no collector")
	}
	version := string(image[1])
	if !strings.HasSuffix(builder, "@v"+version) {
		t.Errorf("the builder is %s, the image %s", builder, version)
	}
	for _, c := range []struct {
		kind  string
		built modules
		named map[string]any
	}{{"receiver", built.Receivers, config.Receivers}, {"processor", built.Processors, config.Processors},
		{"exporter", built.Exporters, config.Exporters}, {"extension", built.Extensions, config.Extensions}} {
		var has, wants []string
		for _, module := range c.built {
			name, v, _ := strings.Cut(module.Gomod, " v")
			if v != version {
				t.Errorf("%s has another version than the image %s", module.Gomod, version)
			}
			has = append(has, strings.TrimSuffix(path.Base(name), c.kind))
		}
		for name := range c.named {
			wants = append(wants, strings.ReplaceAll(name, "_", ""))
		}
		slices.Sort(has)
		slices.Sort(wants)
		if !slices.Equal(has, wants) || len(has) == 0 {
			t.Errorf("%ss: built are %v, otel/collector.yaml names %v", c.kind, has, wants)
		}
	}
}

func read(t *testing.T, path string, into any) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(data, into); err != nil {
		t.Fatal(err)
	}
}
