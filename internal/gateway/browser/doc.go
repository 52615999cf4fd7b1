// Package browser serves the browsers of a site: the calls under {prefix}/web, their cookies,
// and the checks for requests that pages of other sites sent.
package browser
