//! What an answer cites: `citationMetadata` and `groundingMetadata`.

use crate::canonical::Citation;
use crate::gemini::{camel, list, number};
use crate::json::{Cursor, JsonError, Str};

/// A stretch of the answer and the source it rests on.
#[derive(Debug)]
struct Link {
    chunk: Option<usize>,
    /// Bytes of the answer's text.
    start: Option<u64>,
    end: Option<u64>,
}

/// A web page.
#[derive(Debug, Default)]
struct Page<'a> {
    url: Str<'a>,
    title: Option<Str<'a>>,
}

/// Everything a candidate cites, as Google tells it.
#[derive(Debug, Default)]
pub(in crate::gemini) struct Cited<'a> {
    pages: Vec<Page<'a>>,
    links: Vec<Link>,
    searches: u64,
}

impl<'a> Cited<'a> {
    /// How often the model searched.
    pub(in crate::gemini) fn searches(&self) -> Option<u64> {
        Some(self.searches).filter(|count| *count > 0)
    }

    /// Whether nothing is cited.
    pub(in crate::gemini) const fn is_empty(&self) -> bool {
        self.pages.is_empty()
    }

    /// Reads `citationMetadata`.
    pub(super) fn citations(&mut self, c: &mut Cursor<'a>) -> Result<(), JsonError> {
        if c.null()? {
            return Ok(());
        }
        let mut members = c.object()?;
        while let Some(key) = members.next(c)? {
            if matches!(camel(&key).as_ref(), "citations" | "citationSources") {
                list(c, |c| self.citation(c))?;
            } else {
                c.skip()?;
            }
        }
        Ok(())
    }

    fn citation(&mut self, c: &mut Cursor<'a>) -> Result<(), JsonError> {
        let mut page = Page::default();
        let (mut start, mut end) = (None, None);
        let mut members = c.object()?;
        while let Some(key) = members.next(c)? {
            match camel(&key).as_ref() {
                "uri" => page.url = c.opt(Cursor::str)?.unwrap_or_default(),
                "title" => page.title = c.opt(Cursor::str)?,
                "startIndex" => start = number(c)?,
                "endIndex" => end = number(c)?,
                _ => c.skip()?,
            }
        }
        if !page.url.is_empty() {
            let start = start.or_else(|| end.map(|_| 0));
            self.links.push(Link { chunk: Some(self.pages.len()), start, end });
            self.pages.push(page);
        }
        Ok(())
    }

    /// Reads `groundingMetadata`.
    pub(super) fn grounding(&mut self, c: &mut Cursor<'a>) -> Result<(), JsonError> {
        if c.null()? {
            return Ok(());
        }
        let before = self.pages.len();
        let mut members = c.object()?;
        while let Some(key) = members.next(c)? {
            match camel(&key).as_ref() {
                "groundingChunks" => {
                    let pages = list(c, page)?;
                    self.pages.extend(pages);
                }
                "groundingSupports" => {
                    let links = list(c, |c| support(c, before))?;
                    self.links.extend(links.into_iter().flatten());
                }
                "webSearchQueries" => {
                    let queries = list(c, Cursor::skip)?;
                    self.searches = u64::try_from(queries.len()).unwrap_or(0);
                }
                _ => c.skip()?,
            }
        }
        Ok(())
    }

    /// The citations, with their places in `text` where it is known: Google counts bytes.
    pub(in crate::gemini) fn resolve(self, text: Option<&str>) -> Vec<Citation<'a>> {
        let Self { pages, links, searches: _ } = self;
        let place = |bytes: Option<u64>| {
            let at = usize::try_from(bytes?).ok()?;
            u64::try_from(text?.get(..at)?.chars().count()).ok()
        };
        let mut citations = Vec::new();
        for (at, page) in pages.into_iter().enumerate().filter(|(_, page)| !page.url.is_empty()) {
            let cite = |link: Option<&Link>| Citation::Url {
                url: page.url.clone(),
                title: page.title.clone(),
                cited_text: None,
                start: link.and_then(|link| place(link.start)),
                end: link.and_then(|link| place(link.end)),
            };
            let mut mine = links.iter().filter(|link| link.chunk == Some(at)).peekable();
            if mine.peek().is_none() {
                citations.push(cite(None));
            }
            citations.extend(mine.map(|link| cite(Some(link))));
        }
        citations
    }
}

/// A grounding chunk; one that is no web page keeps its place with an empty address.
fn page<'a>(c: &mut Cursor<'a>) -> Result<Page<'a>, JsonError> {
    let mut page = Page::default();
    let mut members = c.object()?;
    while let Some(key) = members.next(c)? {
        if key != "web" {
            c.skip()?;
            continue;
        }
        if c.null()? {
            continue;
        }
        let mut inner = c.object()?;
        while let Some(key) = inner.next(c)? {
            match key.as_ref() {
                "uri" => page.url = c.opt(Cursor::str)?.unwrap_or_default(),
                "title" => page.title = c.opt(Cursor::str)?,
                _ => c.skip()?,
            }
        }
    }
    Ok(page)
}

fn support(c: &mut Cursor<'_>, offset: usize) -> Result<Vec<Link>, JsonError> {
    let (mut chunks, mut start, mut end) = (Vec::new(), None, None);
    let mut members = c.object()?;
    while let Some(key) = members.next(c)? {
        match camel(&key).as_ref() {
            "groundingChunkIndices" => chunks = list(c, Cursor::u64)?,
            "segment" => {
                if c.null()? {
                    continue;
                }
                let mut inner = c.object()?;
                while let Some(key) = inner.next(c)? {
                    match camel(&key).as_ref() {
                        "startIndex" => start = number(c)?,
                        "endIndex" => end = number(c)?,
                        _ => c.skip()?,
                    }
                }
                // The start is left out where it is 0.
                start = start.or_else(|| end.map(|_| 0));
            }
            _ => c.skip()?,
        }
    }
    let chunk = |index: u64| usize::try_from(index).ok().and_then(|at| at.checked_add(offset));
    Ok(chunks.into_iter().map(|index| Link { chunk: chunk(index), start, end }).collect())
}
