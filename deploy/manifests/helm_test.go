package manifests

import (
	"regexp"
	"strings"
	"testing"
)

// TestChartVersion: the chart is released with wxgate.
func TestChartVersion(t *testing.T) {
	number := regexp.MustCompile(`(?m)^const Number = "(.*)"$`).FindStringSubmatch(read(t, "..", "..", "internal", "version", "version.go"))
	metadata := loadChart(t).Metadata
	if number == nil || metadata.AppVersion != number[1] || metadata.Version != number[1] {
		t.Errorf("the chart has version %s of wxgate %s, want %v", metadata.Version, metadata.AppVersion, number)
	}
}

// TestChartCaddyfile: Helm cannot read a file outside the chart, so the chart has a copy.
func TestChartCaddyfile(t *testing.T) {
	if read(t, chartFolder, "files", "Caddyfile") != read(t, kubernetesFolder, "base", "Caddyfile") {
		t.Error("deploy/helm/wxgate/files/Caddyfile differs from deploy/kubernetes/base/Caddyfile")
	}
}

// TestChartSchema: wrong and missing values are refused before anything is installed.
func TestChartSchema(t *testing.T) {
	for problem, change := range map[string]func(map[string]any){
		"appid":    func(v map[string]any) { delete(v, "appid") },
		"upstream": func(v map[string]any) { v["upstream"] = "http://api:9000/" },
		"redisURL": func(v map[string]any) { v["redisURL"] = "redis://user:password@redis:6379" },
		"replicas": func(v map[string]any) { v["replicas"] = 0 },
		"replica":  func(v map[string]any) { v["replica"] = 3 },
		"memory":   func(v map[string]any) { v["resources"] = map[string]any{"limits": map[string]any{"memory": nil}} },
	} {
		values := requiredValues()
		change(values)
		if _, err := template(t, values); err == nil || !strings.Contains(err.Error(), problem) {
			t.Errorf("%s: %v", problem, err)
		}
	}
}

func TestChartValues(t *testing.T) {
	values := requiredValues()
	values["replicas"] = 1
	values["caddyfile"] = "# mine\n:8080\n"
	values["existingSecret"] = "other"
	values["networkPolicy"] = map[string]any{"enabled": false}
	values["image"] = map[string]any{"repository": "registry.example/wxgate", "tag": "test"}
	o := templated(t, values)
	if o.config.Data["Caddyfile"] != "# mine\n:8080\n" {
		t.Errorf("Caddyfile: %q", o.config.Data["Caddyfile"])
	}
	if image := o.container(t, "wxgate").Image; image != "registry.example/wxgate:test" {
		t.Errorf("image: %s", image)
	}
	if len(o.policies) != 0 || o.budget.Spec.MinAvailable != nil || o.budget.Spec.MaxUnavailable.IntValue() != 1 {
		t.Errorf("policies %v, budget %+v", o.policies, o.budget.Spec)
	}
	before := templated(t, requiredValues()).deployment.Spec.Template.Annotations["checksum/config"]
	if after := o.deployment.Spec.Template.Annotations["checksum/config"]; after == before || after == "" {
		t.Errorf("a changed Caddyfile does not start new pods: %q", after)
	}
}
