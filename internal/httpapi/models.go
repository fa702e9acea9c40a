package httpapi

import (
	"net/http"
	"strconv"
)

func (d *door) models(x *exchange, r *http.Request) error {
	if _, err := negotiate(r.Header, jsonType); err != nil {
		return err
	}
	models := d.Models.Models()
	documents := make([]ModelInfo, len(models))
	for i, m := range models {
		documents[i] = m.whole()
	}
	return answerList(x, r, documents, func(m ModelInfo) string { return m.Name + "@" + m.Version })
}

func (d *door) model(x *exchange, r *http.Request) error {
	if err := onlyJSON(r); err != nil {
		return err
	}
	m, err := d.Models.Model(r.PathValue("name"))
	if err != nil {
		return err
	}
	return x.document(r, m.whole())
}

// label is a class, in the list of a model's.
type label struct {
	Index       int    `json:"index"`
	Name        string `json:"label"`
	Description string `json:"description,omitempty"`
}

func (d *door) labels(x *exchange, r *http.Request) error {
	if _, err := negotiate(r.Header, jsonType); err != nil {
		return err
	}
	m, err := d.Models.Model(r.PathValue("name"))
	if err != nil {
		return err
	}
	labels := make([]label, len(m.LabelList))
	for i, l := range m.LabelList {
		labels[i] = label{Index: i, Name: l.Name, Description: l.Description}
	}
	return answerList(x, r, labels, func(l label) string { return strconv.Itoa(l.Index) })
}

// whole makes lists of what would be null: clients iterate over them.
func (m ModelInfo) whole() ModelInfo {
	if m.Aliases == nil {
		m.Aliases = []string{}
	}
	if m.Outputs == nil {
		m.Outputs = []Tensor{}
	}
	return m
}

func onlyJSON(r *http.Request) error {
	if err := noQuery(r.URL); err != nil {
		return err
	}
	_, err := negotiate(r.Header, jsonType)
	return err
}
