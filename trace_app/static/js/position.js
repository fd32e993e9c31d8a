// Fills latitude and longitude from the phone; the form works without it.
const button = document.getElementById("position");
if (navigator.geolocation && window.isSecureContext) {
  button.hidden = false;
  button.addEventListener("click", () => {
    navigator.geolocation.getCurrentPosition(
      ({ coords }) => {
        document.getElementById("latitude").value = coords.latitude.toFixed(5);
        document.getElementById("longitude").value = coords.longitude.toFixed(5);
        document.getElementById("longitude").dispatchEvent(new Event("input"));
        if (coords.altitude !== null) document.getElementById("altitude_m").value = Math.round(coords.altitude);
      },
      () => { button.textContent = button.dataset.failed; },
      { enableHighAccuracy: true, timeout: 15000 },
    );
  });
}
