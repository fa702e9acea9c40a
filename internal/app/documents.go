package app

import (
	"slices"
	"time"

	"github.com/goshawk-ai/goshawk/internal/fleet"
	"github.com/goshawk-ai/goshawk/internal/httpapi"
	"github.com/goshawk-ai/goshawk/internal/picture"
	"github.com/goshawk-ai/goshawk/internal/problem"
	"github.com/goshawk-ai/goshawk/internal/tensor"
)

// documents tells the HTTP door what the fleet holds.
type documents struct {
	fleet   *fleet.Fleet
	sources *sources
}

var _ httpapi.Models = documents{}

// Models lists all versions, the newest of a name first.
func (d documents) Models() []httpapi.ModelInfo {
	all := d.fleet.Models()
	list := make([]httpapi.ModelInfo, 0, len(all))
	for i := 0; i < len(all); {
		end := i
		for end < len(all) && all[end].Name == all[i].Name {
			end++
		}
		for _, m := range slices.Backward(all[i:end]) {
			if m.Refused != nil {
				continue // it has no version; the protocol's index says why
			}
			list = append(list, document(m))
		}
		i = end
	}
	return list
}

// Model finds the version that a reference means.
func (d documents) Model(ref string) (httpapi.ModelInfo, error) {
	v, err := d.sources.Resolve(ref)
	if err != nil {
		return httpapi.ModelInfo{}, err
	}
	if v.Refused != nil {
		return httpapi.ModelInfo{}, problem.ModelUnhealthy.New("the model %q cannot be served: %v", v.Name, v.Refused)
	}
	for _, m := range d.fleet.Models() {
		if m.Name == v.Name && m.Digest == v.Digest {
			return document(m), nil
		}
	}
	return httpapi.ModelInfo{}, problem.ModelNotFound.New("the model %q was removed just now", v.Name)
}

func isCurrent(aliases []string) bool { return slices.Contains(aliases, fleet.DefaultAlias) }

func document(m fleet.Status) httpapi.ModelInfo {
	doc := httpapi.ModelInfo{
		Name: m.Name, Version: m.Digest, Aliases: append([]string{}, m.Aliases...),
		State: string(m.State), Reason: m.Reason, BuiltIn: m.BuiltIn, Required: m.Required || m.Default,
		TopK: m.TopK, Outputs: []httpapi.Tensor{},
	}
	if !m.Added.IsZero() {
		added := m.Added.UTC()
		doc.Added = &added
	}
	doc.MemoryBytes, doc.ColdStart = m.Bytes, coldStart(m.Cold)
	if m.State == fleet.Sleeping && doc.Reason == "" {
		doc.Reason = "it sleeps, and a request wakes it"
	}
	if p := m.Package; p != nil {
		doc.Kind = string(p.Manifest.Kind)
		doc.Description, doc.License = p.Manifest.Description, p.Manifest.License
		doc.Labels, doc.LabelList = len(p.Labels), p.Labels
	}
	if m.Plan.Threads > 0 {
		doc.Serving = m.Plan.Document()
	}
	if m.Recipe != nil {
		doc.Preprocess = recipeDocument(m.Recipe)
	}
	if m.Input != nil {
		doc.Input = &httpapi.InputInfo{Tensor: tensorDocument(*m.Input), Layout: string(m.Recipe.Layout), Color: string(m.Recipe.Color)}
	}
	if m.Output != nil {
		doc.Outputs = append(doc.Outputs, tensorDocument(*m.Output))
	}
	if m.Package != nil && m.Embedding > 0 {
		doc.Outputs = append(doc.Outputs, httpapi.Tensor{
			Name: m.Package.Manifest.Output.Embedding, Type: tensor.Float32.Protocol(), Shape: []int64{-1, int64(m.Embedding)},
		})
	}
	return doc
}

func coldStart(c *fleet.ColdStart) *httpapi.ColdStart {
	if c == nil {
		return nil
	}
	ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
	return &httpapi.ColdStart{
		Began: c.Began.UTC(), WaitMS: ms(c.Laps[fleet.Wait]), FetchMS: ms(c.Laps[fleet.Fetch]), VerifyMS: ms(c.Laps[fleet.Verify]),
		SessionMS: ms(c.Laps[fleet.Session]), WarmUpMS: ms(c.Laps[fleet.WarmUp]), FirstAnswerMS: ms(c.Laps[fleet.FirstAnswer]), TotalMS: ms(c.Total()),
	}
}

func tensorDocument(s tensor.Spec) httpapi.Tensor {
	return httpapi.Tensor{Name: s.Name, Type: s.Type.Protocol(), Shape: append([]int64{}, s.Shape...)}
}

// recipeDocument writes a recipe with the words of goshawk.yaml.
func recipeDocument(r *picture.Recipe) map[string]any {
	doc := map[string]any{
		"rescale": r.Rescale, "mean": r.Mean, "std": r.Std, "background": r.Background, "exact": r.Exact,
	}
	if r.Resize.Mode != picture.NoResize {
		doc["resize"] = map[string]any{
			"mode": r.Resize.Mode, "size": [2]int{r.Resize.Height, r.Resize.Width},
			"filter": r.Resize.Filter, "antialias": r.Resize.Antialias,
		}
	}
	switch {
	case r.Crop.Fraction > 0:
		doc["crop"] = map[string]any{"fraction": r.Crop.Fraction}
	case r.Crop.Width > 0:
		doc["crop"] = map[string]any{"size": [2]int{r.Crop.Height, r.Crop.Width}}
	}
	return doc
}
