//! Losses, predictions and confusion matrices from logits and labels.
//!
//! Computed in f64 with the `libm` crate, so that every machine gets the same bits from the same logits.

/// The evaluation of a set of images, in their order.
pub struct Evaluation {
    /// Predicted classes.
    pub predictions: Vec<u8>,
    /// Cross-entropies.
    pub losses: Vec<f64>,
    /// The softmax of the predicted class, 0 to 1.
    pub confidences: Vec<f64>,
    /// One of each class for each image.
    pub logits: Vec<f32>,
}

impl Evaluation {
    /// Evaluates logits, `[images, classes]`, against the labels.
    ///
    /// # Panics
    /// There are no images, or the number of logits is not a multiple of the number of images.
    pub fn of(logits: &[f32], labels: &[u8]) -> Self {
        let classes = logits.len() / labels.len();
        assert_eq!(logits.len(), labels.len() * classes, "as many logits for each image");
        let rows = || logits.chunks_exact(classes);
        let predictions = predicted_classes(logits, classes);
        let losses = rows().zip(labels).map(|(row, label)| cross_entropy(row, *label)).collect();
        let confidences = rows().zip(&predictions).map(|(row, class)| libm::exp(-cross_entropy(row, *class))).collect();
        Self { predictions, losses, confidences, logits: logits.to_vec() }
    }

    /// Mean cross-entropy.
    pub fn loss(&self) -> f64 {
        self.losses.iter().sum::<f64>() / self.losses.len() as f64
    }

    /// The batch-mean loss: the sum of the batches' mean losses divided by the number of images. It is smaller than the mean
    /// loss by a factor of about the batch size; some programs print it as the average loss.
    pub fn batch_mean_loss(&self, batch: usize) -> f64 {
        let means = self.losses.chunks(batch).map(|b| b.iter().sum::<f64>() / b.len() as f64);
        means.sum::<f64>() / self.losses.len() as f64
    }

    /// The number of logits of an image.
    fn classes(&self) -> usize {
        (self.logits.len() / self.predictions.len().max(1)).max(1)
    }

    /// How far a class's logit is below that of the predicted class; infinite for an image or a class that does not exist.
    pub fn behind(&self, image: usize, class: u8) -> f32 {
        let logit = |class: &u8| {
            let row = self.logits.chunks_exact(self.classes()).nth(image)?;
            row.get(usize::from(*class)).copied()
        };
        let best = self.predictions.get(image).and_then(logit);
        best.zip(logit(&class)).map_or(f32::INFINITY, |(best, other)| best - other)
    }

    /// The images whose two largest logits differ by at most `most`.
    pub fn near_ties(&self, most: f32) -> usize {
        let others = |i: usize| (0..self.classes() as u8).filter(move |class| *class != self.predictions[i]);
        (0..self.predictions.len()).filter(|i| others(*i).any(|class| self.behind(*i, class) <= most)).count()
    }

    /// The number of correct predictions.
    pub fn correct(&self, labels: &[u8]) -> usize {
        self.predictions.iter().zip(labels).filter(|(p, l)| p == l).count()
    }
}

/// The class with the largest logit of each image; the first of equal ones, as `torch.argmax` on a CPU.
pub fn predicted_classes(logits: &[f32], classes: usize) -> Vec<u8> {
    let largest = |row: &[f32]| (1..classes).fold(0, |best, c| if row[c] > row[best] { c } else { best }) as u8;
    logits.chunks_exact(classes).map(largest).collect()
}

/// Counts of (true class, predicted class).
///
/// # Panics
/// If a prediction or label is not a class; callers check what they read.
pub fn confusion(predictions: &[u8], labels: &[u8], classes: usize) -> Vec<Vec<usize>> {
    let mut matrix = vec![vec![0; classes]; classes];
    predictions.iter().zip(labels).for_each(|(p, l)| matrix[usize::from(*l)][usize::from(*p)] += 1);
    matrix
}

fn cross_entropy(logits: &[f32], label: u8) -> f64 {
    let max = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f64 = logits.iter().map(|l| libm::exp(f64::from(*l) - f64::from(max))).sum();
    libm::log(sum) + f64::from(max) - f64::from(logits[usize::from(label)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn losses_of_known_logits() {
        let uniform = [0f32; 10];
        assert!((cross_entropy(&uniform, 3) - 10f64.ln()).abs() < 1e-12);
        let mut sure = uniform;
        sure[3] = 80.0;
        assert!(cross_entropy(&sure, 3) < 1e-30);
        assert!((cross_entropy(&sure, 4) - 80.0).abs() < 1e-12);
    }

    #[test]
    fn the_batch_mean_loss_is_the_mean_loss_over_the_batch_when_batches_are_full() {
        let e = Evaluation {
            predictions: vec![0; 4],
            losses: vec![1.0, 2.0, 3.0, 6.0],
            confidences: vec![0.5; 4],
            logits: vec![],
        };
        assert_eq!(e.loss(), 3.0);
        assert_eq!(e.batch_mean_loss(2), 1.5);
        // A smaller last batch counts as much as a full one.
        assert_eq!(e.batch_mean_loss(3), (2.0 + 6.0) / 4.0);
    }

    #[test]
    fn a_class_is_behind_the_predicted_one_by_the_difference_of_their_logits() {
        let mut logits = vec![0f32; 20];
        (logits[3], logits[4], logits[10 + 7]) = (2.0, 1.5, 1.0);
        let e = Evaluation::of(&logits, &[3, 7]);
        assert_eq!([e.behind(0, 3), e.behind(0, 4), e.behind(1, 0)], [0.0, 0.5, 1.0]);
        assert_eq!([e.behind(0, 10), e.behind(2, 0)], [f32::INFINITY; 2]);
        assert_eq!([e.near_ties(0.4), e.near_ties(0.5), e.near_ties(1.0)], [0, 1, 2]);
    }

    #[test]
    fn ties_go_to_the_first_class_and_confusion_counts_pairs() {
        let mut logits = vec![1f32; 10];
        logits.extend((0..10).map(|c| c as f32));
        assert_eq!(predicted_classes(&logits, 10), [0, 9]);
        let matrix = confusion(&[0, 9, 9], &[0, 9, 2], 10);
        assert_eq!((matrix[0][0], matrix[9][9], matrix[2][9]), (1, 1, 1));
    }
}
