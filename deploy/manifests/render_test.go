package manifests

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
)

const (
	kubernetesFolder = "../kubernetes"
	chartFolder      = "../helm/wxgate"
)

// kustomized is the output of kustomize build for an overlay.
func kustomized(t *testing.T, overlay string) objects {
	t.Helper()
	resources, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), filepath.Join(kubernetesFolder, overlay))
	if err != nil {
		t.Fatal(err)
	}
	text, err := resources.AsYaml()
	if err != nil {
		t.Fatal(err)
	}
	return decodeObjects(t, string(text))
}

func loadChart(t *testing.T) *chart.Chart {
	t.Helper()
	loaded, err := loader.Load(chartFolder)
	if err != nil {
		t.Fatal(err)
	}
	return loaded
}

// requiredValues are those without which the chart does not render.
func requiredValues() map[string]any {
	return map[string]any{"appid": "wx0000000000000001", "upstream": "api:9000", "redisURL": "redis://redis:6379"}
}

// template is the output of helm template.
func template(t *testing.T, values map[string]any) (string, error) {
	t.Helper()
	loaded := loadChart(t)
	release := chartutil.ReleaseOptions{Name: "gate", Namespace: "shop", Revision: 1, IsInstall: true}
	rendered, err := chartutil.ToRenderValues(loaded, values, release, chartutil.DefaultCapabilities)
	if err != nil {
		return "", err // the values do not match the schema, too
	}
	files, err := engine.Render(loaded, rendered)
	if err != nil {
		return "", err
	}
	var all []string
	for name, text := range files {
		if strings.HasSuffix(name, ".yaml") {
			all = append(all, text)
		}
	}
	slices.Sort(all)
	return strings.Join(all, "\n---\n"), nil
}

func templated(t *testing.T, values map[string]any) objects {
	t.Helper()
	text, err := template(t, values)
	if err != nil {
		t.Fatal(err)
	}
	return decodeObjects(t, text)
}

func read(t *testing.T, path ...string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(path...))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
