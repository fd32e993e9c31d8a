// Between corners on the ground and points of a drawing, by a flat map round its middle: right within a few kilometres.
export const WIDTH = 400;
export const HEIGHT = 300;
const METRES_A_DEGREE = 111320;
const SQUARE_METRES_A_MU = 2000 / 3;
const LEAST_METRES = 100;
const METRES_WITHOUT_CORNERS = 400;

const atLatitude = (latitude) => METRES_A_DEGREE * Math.cos((latitude * Math.PI) / 180);

function middleOf(corners) {
  return [0, 1].map((axis) => {
    const values = corners.map((corner) => corner[axis]);
    return (Math.min(...values) + Math.max(...values)) / 2;
  });
}

// How many metres the drawing must be wide to show all corners with room about them.
function metresAbout([latitude, longitude], corners) {
  const spans = corners.map(([lat, lon]) =>
    Math.max(Math.abs(lat - latitude) * METRES_A_DEGREE, Math.abs(lon - longitude) * atLatitude(latitude)),
  );
  return Math.max(LEAST_METRES, Math.max(...spans) * 3);
}

export class Projection {
  // A drawing about some corners, or about a place where there are none; null where there is neither.
  static about(corners, place) {
    if (corners.length) {
      const middle = middleOf(corners);
      return new Projection(middle, metresAbout(middle, corners));
    }
    return place && new Projection(place, METRES_WITHOUT_CORNERS);
  }

  constructor(middle, metres) {
    [this.latitude, this.longitude] = middle;
    this.metres = metres;
    this.scale = WIDTH / metres;
  }

  x(longitude) {
    return WIDTH / 2 + (longitude - this.longitude) * atLatitude(this.latitude) * this.scale;
  }

  y(latitude) {
    return HEIGHT / 2 - (latitude - this.latitude) * METRES_A_DEGREE * this.scale;
  }

  corner(x, y) {
    return [
      this.latitude - (y - HEIGHT / 2) / this.scale / METRES_A_DEGREE,
      this.longitude + (x - WIDTH / 2) / this.scale / atLatitude(this.latitude),
    ];
  }

  // The width of a square of the grid: 1, 10, 100 … metres.
  get step() {
    return 10 ** Math.floor(Math.log10(this.metres / 3));
  }
}

// The area that corners enclose, in mu.
export function areaMu(corners) {
  if (corners.length < 3) return 0;
  const wide = atLatitude(middleOf(corners)[0]);
  let twice = 0;
  corners.forEach(([lat, lon], n) => {
    const [nextLat, nextLon] = corners[(n + 1) % corners.length];
    twice += lon * wide * nextLat * METRES_A_DEGREE - nextLon * wide * lat * METRES_A_DEGREE;
  });
  return Math.abs(twice) / 2 / SQUARE_METRES_A_MU;
}
