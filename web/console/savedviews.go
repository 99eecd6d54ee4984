package console

import (
	"html/template"
	"net/url"
	"strings"

	"hooktape/web/api"
)

// savedView is a link to a saved view.
type savedView struct {
	api.SavedView
	URL    string
	Chosen bool
}

func (v *visit) savedViews(f filters) (list []savedView, err error) {
	views, err := v.direct.SavedViews(v.Context())
	for _, view := range views {
		list = append(list, savedView{view, "/?" + view.Query, view.Query == f.Encode()})
	}
	return list, err
}

// saveView saves the filters of the list under a name; if another view has it, after a confirmation.
func saveView(v *visit) error {
	name, query := strings.TrimSpace(v.PostFormValue("name")), v.PostFormValue("query")
	if ok, err := v.confirmedFor(name, "Replace the view?", "Replace", query); !ok {
		return err
	}
	if err := v.direct.SaveView(v.Context(), name, query); err != nil {
		return err
	}
	return v.redirect("/?" + query)
}

// deleteView deletes a view after a confirmation, and leads back to the list.
func deleteView(v *visit) error {
	name := v.PostFormValue("name")
	if ok, err := v.confirmedFor(name, "Delete the view?", "Delete", ""); !ok {
		return err
	}
	if err := v.direct.DeleteView(v.Context(), name); err != nil {
		return err
	}
	query, _ := url.ParseQuery(v.PostFormValue("query"))
	return v.redirect(link("/", query))
}

// confirmedFor asks before everybody loses the view of a name, unless it has the new query already.
func (v *visit) confirmedFor(name, question, button, query string) (bool, error) {
	if err := v.user.Require(api.RoleReplay); err != nil {
		return false, err
	}
	views, err := v.direct.SavedViews(v.Context())
	if err != nil {
		return false, err
	}
	var reasons []template.HTML
	for _, view := range views {
		if view.Name == name && view.Query != query {
			reasons = []template.HTML{"Everybody uses the view " + line(name) + ", saved by " + line(view.By) + "."}
		}
	}
	return v.confirmed(question, button, reasons)
}
