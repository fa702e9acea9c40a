package oipapi

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/goshawk-ai/goshawk/api/oip"
)

func TestTheConfigurationTellsHowAModelIsRun(t *testing.T) {
	t.Parallel()
	d := Description{
		Name: "cats", MaxBatch: 64, Instances: 2, Batch: 4, Delay: 1500 * time.Microsecond,
		Parameters: map[string]string{"goshawk.threads": "1"},
	}
	c := configOf(&d)
	if g := c.GetInstanceGroup(); len(g) != 1 || g[0].GetCount() != 2 || g[0].GetKind() != oip.ModelInstanceGroup_KIND_CPU {
		t.Errorf("instance_group %v, want two on the CPU", g)
	}
	if b := c.GetDynamicBatching(); len(b.GetPreferredBatchSize()) != 1 || b.GetPreferredBatchSize()[0] != 4 || b.GetMaxQueueDelayMicroseconds() != 1500 {
		t.Errorf("dynamic_batching %v, want rows and delay", b)
	}
	if p := c.GetParameters()["goshawk.threads"].GetStringValue(); p != "1" {
		t.Errorf("parameters %v", c.GetParameters())
	}
	text, err := json.Marshal([]any{configGroups(&d), batchingOf(&d), configParameters(&d)})
	want := `[[{"name":"cats","kind":"KIND_CPU","count":2}],{"preferred_batch_size":[4],"max_queue_delay_microseconds":1500},{"goshawk.threads":{"string_value":"1"}}]`
	if err != nil || string(text) != want {
		t.Errorf("in JSON %s, %v; want %s", text, err, want)
	}
	d.Batch = 1
	if configOf(&d).GetDynamicBatching() != nil || batchingOf(&d) != nil {
		t.Error("a model without batches is said to be batched")
	}
}
