// Shows the OpenAPI document with Swagger UI, whose script stands before this one.
const place = document.getElementById("docs");
window.SwaggerUIBundle({ url: place.dataset.document, domNode: place, deepLinking: true });
