// A picture in the tables that are printed: as large as its file says it is, with its mark, there or not.

function paperPicture(data, cell, few) {
  const mark = data.judging.mark(cell);
  const box = make("div", { class: "pictured", "data-reject": Boolean(data.judging.opinion(cell)?.reject) },
    paperImage(data, cell, few), mark && make("b", { class: "marked", text: mark }));
  box.style.setProperty("--aspect", data.aspect(cell));
  return box;
}

/** The image itself where it is to be large, its thumbnail where that is not there, and words where neither is. */
function paperImage(data, cell, few) {
  const image = make("img", { alt: data.describe(cell) });
  const files = few ? [data.picture(cell), data.thumb(cell)] : [data.thumb(cell)];
  showFirst(image, files, () => image.replaceWith(make("div", { class: "none", text: "file missing" })));
  return image;
}

/**
 * Puts a picture in place of an image, with as many dots as paper shows of it. A browser writes each image into a PDF
 * whole and without loss, however small it is drawn: of 168 thumbnails that made 30 MB.
 */
function asSmallAsPrinted(image, wide, dots) {
  const shrink = () => {
    const { naturalWidth: width, naturalHeight: height } = image;
    const scale = Math.min((wide * dots) / width, (SHEET.high * dots) / height);
    if (!(scale < 0.9) || !globalThis.OffscreenCanvas) return;
    const size = [width, height].map((side) => Math.max(1, Math.round(side * scale)));
    const canvas = new OffscreenCanvas(...size);
    const pen = canvas.getContext("2d");
    pen.imageSmoothingQuality = "high";
    pen.drawImage(image, 0, 0, ...size);
    const small = make("canvas", { role: "img", "aria-label": image.alt, width: size[0], height: size[1] });
    // A canvas that is drawn on while a page is printed goes into the PDF as what was drawn: the image, whole.
    small.getContext("bitmaprenderer").transferFromImageBitmap(canvas.transferToImageBitmap());
    image.replaceWith(small);
  };
  if (image.complete && image.naturalWidth) shrink();
  else image.addEventListener("load", shrink);
}
