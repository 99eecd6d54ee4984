package console

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"html/template"
	"io/fs"
	"net/http"
	"path"
	"strings"
)

//go:embed assets/console.css assets/console.js assets/htmx.min.js assets/icon.svg
var assetFiles embed.FS

//go:embed templates/*.html
var templateFiles embed.FS

// assets are the files by name. The path of each contains a hash of its content, so browsers may cache it for ever.
var assets = func() map[string]asset {
	all := map[string]asset{}
	names, _ := fs.Glob(assetFiles, "assets/*")
	for _, name := range names {
		content, _ := assetFiles.ReadFile(name)
		sum := sha256.Sum256(content)
		all[path.Base(name)] = asset{content, hex.EncodeToString(sum[:8])}
	}
	return all
}()

type asset struct {
	content []byte
	hash    string
}

var assetTypes = map[string]string{".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8",
	".svg": "image/svg+xml"}

func assetPath(name string) string { return "/assets/" + assets[name].hash + "/" + name }

func serveAsset(w http.ResponseWriter, r *http.Request) {
	found, ok := assets[r.PathValue("name")]
	if !ok || found.hash != r.PathValue("hash") {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	w.Header().Set("Content-Type", assetTypes[path.Ext(r.PathValue("name"))])
	_, _ = w.Write(found.content) // fails when the client is gone
}

// parseTemplates returns the templates of each page: the layout, the shared parts, and its own file.
func parseTemplates() (map[string]*template.Template, error) {
	shared, err := template.New("").Funcs(functions).ParseFS(templateFiles, "templates/layout.html",
		"templates/parts.html", "templates/forward.html")
	if err != nil {
		return nil, err
	}
	names, err := fs.Glob(templateFiles, "templates/*.html")
	if err != nil {
		return nil, err
	}
	templates := map[string]*template.Template{}
	for _, file := range names {
		page, err := shared.Clone()
		if err != nil {
			return nil, err
		}
		if _, err := page.ParseFS(templateFiles, file); err != nil {
			return nil, err
		}
		templates[strings.TrimSuffix(path.Base(file), ".html")] = page
	}
	return templates, nil
}
