package adminapi

import (
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/jsonschema-go/jsonschema"

	"github.com/wxgate/wxgate/internal/gateway"
)

// DocumentPath is where the OpenAPI document is.
const DocumentPath = Prefix + "openapi.json"

// The members of an OpenAPI 3.1 document that this API needs.
type (
	document struct {
		OpenAPI string              `json:"openapi"`
		Info    documentInfo        `json:"info"`
		Paths   map[string]pathItem `json:"paths"`
	}
	documentInfo struct {
		Title       string `json:"title"`
		Version     string `json:"version"`
		Description string `json:"description"`
	}
	pathItem  map[string]operation // by method, in lower case
	operation struct {
		ID        string             `json:"operationId"`
		Summary   string             `json:"summary"`
		Audited   bool               `json:"x-audited,omitzero"`
		Request   *content           `json:"requestBody,omitzero"`
		Responses map[string]content `json:"responses"`
	}
	content struct {
		Description string               `json:"description,omitzero"`
		Required    bool                 `json:"required,omitzero"`
		Content     map[string]mediaType `json:"content"`
	}
	mediaType struct {
		Schema *jsonschema.Schema `json:"schema"`
	}
)

// errorResponse is what Caddy's admin API responds with if a call fails.
type errorResponse struct {
	Error string `json:"error" jsonschema:"what went wrong; it names no user"`
}

const about = "Calls for operators of wxgate, on Caddy's admin API. The commands of wxgate call them. " +
	"Anyone who can connect to the admin API can: put it on a Unix socket that only operators can open. " +
	"What is x-audited is one line of the logger wxgate.audit, whether it succeeds or not."

// The calls that describe the others. They work without a configuration.
var (
	listRoute = Route{
		Method: http.MethodGet, Path: Prefix, Purpose: "list the calls",
		Request: reflect.TypeFor[None](), Response: reflect.TypeFor[[]line](),
	}
	documentRoute = Route{
		Method: http.MethodGet, Path: DocumentPath, Purpose: "the OpenAPI document of the calls",
		Request: reflect.TypeFor[None](), Response: reflect.TypeFor[map[string]any](),
	}
)

// schemaTypes has the schemas of types whose JSON form differs from their Go kind.
var schemaTypes = map[reflect.Type]*jsonschema.Schema{
	reflect.TypeFor[time.Time]():      {Type: "string", Format: "date-time"},
	reflect.TypeFor[jsontext.Value](): {},
}

// WriteDocument responds with the OpenAPI document of all calls, whose schemas are derived from
// their types.
func WriteDocument(w http.ResponseWriter) error {
	doc := document{
		OpenAPI: "3.1.0",
		Info:    documentInfo{Title: "wxgate admin API", Version: "1", Description: about},
		Paths:   map[string]pathItem{},
	}
	for _, route := range append(Routes(), listRoute, documentRoute) {
		op, err := route.operation()
		if err != nil {
			return err
		}
		doc.Paths[route.Path] = pathItem{strings.ToLower(route.Method): op}
	}
	return gateway.WriteJSON(w, http.StatusOK, doc)
}

// operation describes a call.
func (r Route) operation() (operation, error) {
	op := operation{ID: strings.ReplaceAll(strings.TrimPrefix(r.Path, Prefix), "/", "_"), Summary: r.Purpose, Audited: r.Audited}
	if op.ID == "" {
		op.ID = "calls"
	}
	if r.Method == http.MethodPost {
		request, err := contentOf(r.Request)
		if err != nil {
			return op, err
		}
		op.Request = &request
		// An empty body is an empty request.
		op.Request.Required = len(op.Request.Content[jsonType].Schema.Required) > 0
	}
	response, err := contentOf(r.Response)
	if err != nil {
		return op, err
	}
	failed, err := contentOf(reflect.TypeFor[errorResponse]())
	if err != nil {
		return op, err
	}
	response.Description, failed.Description = "It was done.", "It failed; the status is 4xx or 5xx."
	op.Responses = map[string]content{"200": response, "default": failed}
	return op, nil
}

const jsonType = "application/json"

func contentOf(t reflect.Type) (content, error) {
	schema, err := jsonschema.ForType(t, &jsonschema.ForOptions{TypeSchemas: schemaTypes})
	if err != nil {
		return content{}, fmt.Errorf("describing %s: %w", t, err)
	}
	return content{Content: map[string]mediaType{jsonType: {Schema: schema}}}, nil
}
