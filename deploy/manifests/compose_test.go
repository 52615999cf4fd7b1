package manifests

import (
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/types"
	"sigs.k8s.io/yaml"
)

const composeFolder = "../compose"

// loadCompose loads compose.yaml as docker compose does: unknown fields, and services,
// networks, volumes and secrets that are not defined, are errors.
func loadCompose(t *testing.T, environment map[string]string) (*types.Project, error) {
	t.Helper()
	folder, err := filepath.Abs(composeFolder)
	if err != nil {
		t.Fatal(err)
	}
	return loader.LoadWithContext(t.Context(), types.ConfigDetails{
		WorkingDir:  folder,
		ConfigFiles: []types.ConfigFile{{Filename: filepath.Join(folder, "compose.yaml")}},
		Environment: environment,
	}, func(o *loader.Options) { o.SetProjectName("wxgate", true) })
}

func composed(t *testing.T) *types.Project {
	t.Helper()
	project, err := loadCompose(t, map[string]string{"WX_APPID": "wx0000000000000001", "GRAFANA_PASSWORD": "x"})
	if err != nil {
		t.Fatal(err)
	}
	return project
}

func TestCompose(t *testing.T) {
	project := composed(t)
	gate := project.Services["wxgate"]
	if !gate.ReadOnly || len(gate.CapAdd) > 0 || gate.MemLimit == 0 {
		t.Errorf("wxgate: read-only %v, capabilities %v, memory %v", gate.ReadOnly, gate.CapAdd, gate.MemLimit)
	}
	caddyfile := read(t, "..", "docker", "Caddyfile")
	took := duration(t, caddyfile, "shutdown_delay") + duration(t, caddyfile, "grace_period")
	if gate.StopGracePeriod == nil || time.Duration(*gate.StopGracePeriod) < took+10*time.Second {
		t.Errorf("wxgate is killed after %v, it needs %v and 10s", gate.StopGracePeriod, took)
	}
	for _, match := range regexp.MustCompile(`\{\$(\w+)\}`).FindAllStringSubmatch(caddyfile, -1) {
		if value := gate.Environment[match[1]]; value == nil || *value == "" {
			t.Errorf("the Caddyfile of the image requires %s", match[1])
		}
	}
	for name := range gate.Environment {
		if !strings.Contains(caddyfile, "{$"+name) {
			t.Errorf("the Caddyfile of the image does not use %s", name)
		}
	}
	for _, secret := range gate.Secrets {
		if !strings.Contains(caddyfile, "{file./run/secrets/"+secret.Source+"}") {
			t.Errorf("the Caddyfile of the image does not use the secret %s", secret.Source)
		}
	}
	for _, service := range project.Services {
		if !slices.Equal(service.CapDrop, []string{"ALL"}) || !slices.Contains(service.SecurityOpt, "no-new-privileges:true") {
			t.Errorf("%s: capabilities dropped %v, options %v", service.Name, service.CapDrop, service.SecurityOpt)
		}
		for _, port := range service.Ports {
			if address, err := netip.ParseAddr(port.HostIP); err != nil || !address.IsLoopback() {
				t.Errorf("%s: port %s is open to %q", service.Name, port.Published, port.HostIP)
			}
		}
	}
}

// TestComposeNetworks: nothing but wxgate connects the API and Redis with the outside.
func TestComposeNetworks(t *testing.T) {
	project := composed(t)
	for _, name := range []string{"api", "redis"} {
		service := project.Services[name]
		for network := range service.Networks {
			if !project.Networks[network].Internal {
				t.Errorf("%s is on the network %s, which is not internal", name, network)
			}
		}
		if len(service.Networks) != 1 || len(service.Ports) > 0 {
			t.Errorf("%s: networks %v, ports %v", name, service.Networks, service.Ports)
		}
	}
	for name, service := range project.Services {
		if _, ok := service.Networks["back"]; ok && !slices.Contains([]string{"api", "redis", "wxgate"}, name) {
			t.Errorf("%s can reach the API without wxgate", name)
		}
	}
	for name, want := range map[string]string{"UPSTREAM": "api:9000", "WXGATE_STORE": "redis redis://redis:6379"} {
		if got := *project.Services["wxgate"].Environment[name]; got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
}

// TestComposeFiles: every file that is mounted exists, and Prometheus scrapes wxgate.
func TestComposeFiles(t *testing.T) {
	project := composed(t)
	mounted := 0
	for _, service := range project.Services {
		for _, volume := range service.Volumes {
			if volume.Type != types.VolumeTypeBind {
				continue
			}
			mounted++
			if info, err := os.Stat(volume.Source); err != nil || info.IsDir() || !volume.ReadOnly {
				t.Errorf("%s: %s: %v, read-only %v", service.Name, volume.Source, err, volume.ReadOnly)
			}
		}
	}
	if mounted == 0 {
		t.Error("no file is mounted")
	}
	var config struct {
		Rules   []string `json:"rule_files"`
		Scrapes []struct {
			Static []struct{ Targets []string } `json:"static_configs"`
		} `json:"scrape_configs"`
	}
	if err := yaml.Unmarshal([]byte(read(t, composeFolder, "prometheus.yml")), &config); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(config.Rules, []string{"rules.yml"}) || config.Scrapes[0].Static[0].Targets[0] != "wxgate:9180" {
		t.Errorf("prometheus.yml: %+v", config)
	}
}

// TestComposeRequired: what has no safe default must be set.
func TestComposeRequired(t *testing.T) {
	for _, name := range []string{"WX_APPID", "GRAFANA_PASSWORD"} {
		environment := map[string]string{"WX_APPID": "wx0000000000000001", "GRAFANA_PASSWORD": "x"}
		delete(environment, name)
		if _, err := loadCompose(t, environment); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("without %s: %v", name, err)
		}
	}
}
