package folder

import (
	"encoding/json"
	"os"
)

// remembered is the file in which a source keeps what became of the directory's
// entries, so that a new start copies nothing that has not changed and gives no
// number twice. It may be lost.
type remembered struct {
	Format int                       `json:"format"`
	Dir    string                    `json:"dir"`
	Items  map[string]rememberedItem `json:"items"`
	Last   map[string]int            `json:"last_numbers"`
}

type rememberedItem struct {
	Name     string    `json:"name"`
	Print    string    `json:"print"`
	Versions []version `json:"versions"`
}

const memoryFormat = 1

func (s *Source) recall() {
	data, err := os.ReadFile(s.memory())
	if err != nil {
		return
	}
	var m remembered
	if json.Unmarshal(data, &m) != nil || m.Format != memoryFormat || m.Dir != s.dir {
		return
	}
	if m.Last != nil {
		s.last = m.Last
	}
	for entry, r := range m.Items {
		it := &item{name: r.Name, taken: r.Print, versions: r.Versions}
		if !s.whole(it) {
			it.taken, it.versions = "", nil
		}
		s.items[entry] = it
	}
}

func (s *Source) remember() {
	m := remembered{Format: memoryFormat, Dir: s.dir, Items: map[string]rememberedItem{}, Last: s.last}
	for entry, it := range s.items {
		r := rememberedItem{Name: it.name, Print: it.taken, Versions: it.versions}
		for _, v := range it.versions {
			if v.refused != nil { // reasons are found again
				r.Print, r.Versions = "", nil
			}
		}
		m.Items[entry] = r
	}
	data, err := json.Marshal(m)
	if err == nil {
		// Torn by a crash it is no JSON, which costs one more copy.
		err = os.WriteFile(s.memory(), data, 0o600)
	}
	if err != nil {
		s.o.Logger.Warn("the index of the model repository could not be kept", "cause", err.Error())
	}
}
